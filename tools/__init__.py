"""Programs for those who work on crmcore; not part of the distribution."""
