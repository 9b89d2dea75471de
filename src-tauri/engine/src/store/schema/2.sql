-- For the retention: an event is removed once no delivery is left of it.
CREATE INDEX delivery_outbox ON delivery (outbox_seq);
