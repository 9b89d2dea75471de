-- Unified models, those that are installed, and the mappings of both (contract section 8.1).
CREATE TABLE unified_model (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  built_in INTEGER NOT NULL,
  version INTEGER NOT NULL,
  document TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
);
CREATE TABLE environment_unified_model (
  id TEXT PRIMARY KEY,
  unified_model_id TEXT NOT NULL UNIQUE REFERENCES unified_model (id) ON DELETE CASCADE,
  override TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
);
CREATE TABLE unified_mapping (
  id TEXT PRIMARY KEY,
  unified_model_id TEXT NOT NULL REFERENCES unified_model (id) ON DELETE CASCADE,
  integration_name TEXT NOT NULL,
  resource_name TEXT NOT NULL,
  method_name TEXT NOT NULL,
  config TEXT NOT NULL,
  version INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  UNIQUE (unified_model_id, integration_name, resource_name, method_name)
);
CREATE TABLE environment_unified_mapping (
  id TEXT PRIMARY KEY,
  environment_unified_model_id TEXT NOT NULL REFERENCES environment_unified_model (id) ON DELETE CASCADE,
  integration_name TEXT NOT NULL,
  resource_name TEXT NOT NULL,
  method_name TEXT NOT NULL,
  config TEXT NOT NULL,
  version INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  UNIQUE (environment_unified_model_id, integration_name, resource_name, method_name)
);
