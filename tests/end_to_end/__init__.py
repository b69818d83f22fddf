"""Tests of the whole: a real stack of three cells, and a partner before its router."""
