-- Why the last run of a trigger couldn't be made, as JSON. NULL: it was made, or there was none since the trigger was scheduled.
ALTER TABLE sync_job_cron_trigger ADD COLUMN last_error TEXT;
