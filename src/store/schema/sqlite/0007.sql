-- When the content of a message went to its receiver's fallback because it waited for too long (engine/overdue.rs).
ALTER TABLE message ADD COLUMN fell_back_at INTEGER;
