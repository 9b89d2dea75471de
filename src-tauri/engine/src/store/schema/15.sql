-- Accounts by the time of their last change, alone and with each filter; SQLite appends the id. Deliveries in a state, newest first.
-- Links by age.
CREATE INDEX integrated_account_updated ON integrated_account (updated_at);
CREATE INDEX integrated_account_tenant_updated ON integrated_account (tenant_id, updated_at);
CREATE INDEX integrated_account_status_updated ON integrated_account (status, updated_at);
CREATE INDEX integrated_account_integration_updated ON integrated_account (environment_integration_id, updated_at);
CREATE INDEX delivery_state ON delivery (webhook_id, state, outbox_seq);
CREATE INDEX link_token_created ON link_token (created_at);
