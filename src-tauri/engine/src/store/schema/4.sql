-- How many accounts are in each status, so that nothing counts them all to say so. Triggers keep it, so that no statement can
-- forget to.
CREATE TABLE account_count (status TEXT PRIMARY KEY, accounts INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO account_count SELECT status, count(*) FROM integrated_account GROUP BY status;
CREATE TRIGGER account_count_created AFTER INSERT ON integrated_account BEGIN
    INSERT INTO account_count VALUES (new.status, 1) ON CONFLICT (status) DO UPDATE SET accounts = accounts + 1;
END;
CREATE TRIGGER account_count_deleted AFTER DELETE ON integrated_account BEGIN
    UPDATE account_count SET accounts = accounts - 1 WHERE status = old.status;
END;
CREATE TRIGGER account_count_changed AFTER UPDATE OF status ON integrated_account WHEN new.status <> old.status BEGIN
    UPDATE account_count SET accounts = accounts - 1 WHERE status = old.status;
    INSERT INTO account_count VALUES (new.status, 1) ON CONFLICT (status) DO UPDATE SET accounts = accounts + 1;
END;
