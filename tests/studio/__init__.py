"""Tests of the desks, with fakes in every port."""
