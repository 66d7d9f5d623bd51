/* Ends one pass over a .def. */
#undef SS_MESSAGE
#undef SS_WIRE_ONE
#undef SS_WIRE_ARRAY
#undef SS_WIRE_VIEW
#undef SS_WIRE_MANY
#undef SS_END
