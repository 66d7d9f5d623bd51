"""The demonstration: a station and its listeners on loopback. Usage: demo.py
BUILD_DIRECTORY"""
