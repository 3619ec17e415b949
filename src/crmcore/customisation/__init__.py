"""Customisation: what administrators shape at run time, as data with a schema.

Takes fields, objects, picklists, layouts, rules ... as definitions; returns the tenant's
schema, and plans of changes to it that are checked as a whole before any is stored.
Never runs code from the database, never alters what the host declared in Python.
Neighbours: ``records`` holds the values, ``unit`` asks for the schema of each tenant.
"""
