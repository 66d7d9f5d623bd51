/* The media frame, at the node's border: see base/frame.h. */
#pragma once

#include "base/frame.h"
