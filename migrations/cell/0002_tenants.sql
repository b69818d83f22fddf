-- Tenants, their API keys and their wallets.
-- depends: 0001_roles

-- migrate: apply

-- A tenant is provisioned into every cell with the same id and the same owner number (the ledger's 64-bit owner);
-- it is a company, so nothing here is personal data.
CREATE TABLE tenants (
    compliance_region text NOT NULL,
    tenant_id text NOT NULL,
    name text NOT NULL,
    home_region text NOT NULL,
    home_cell text NOT NULL,
    tier text NOT NULL,
    environment text NOT NULL CHECK (environment IN ('sandbox', 'live')),
    owner_number bigint NOT NULL CHECK (owner_number > 0),
    placement text NOT NULL CHECK (placement IN ('shared', 'own')),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (compliance_region, tenant_id),
    UNIQUE (compliance_region, owner_number)
) PARTITION BY LIST (compliance_region);

-- Only the SHA-256 of a key's secret is kept: the secret has 256 bits of its own, so a slow hash would add nothing.
CREATE TABLE api_keys (
    compliance_region text NOT NULL,
    key_id text NOT NULL,
    tenant_id text NOT NULL,
    secret_sha256 bytea NOT NULL CHECK (octet_length(secret_sha256) = 32),
    scopes text[] NOT NULL,
    label text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    revoked_at timestamptz,
    PRIMARY KEY (compliance_region, key_id),
    FOREIGN KEY (compliance_region, tenant_id) REFERENCES tenants (compliance_region, tenant_id)
) PARTITION BY LIST (compliance_region);
CREATE INDEX api_keys_tenant ON api_keys (compliance_region, tenant_id);

-- A wallet's epoch fences its writer: a host that journals with an epoch below the row's is a stale copy.
CREATE TABLE wallets (
    compliance_region text NOT NULL,
    wallet_id text NOT NULL,
    tenant_id text NOT NULL,
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    qualifier bigint NOT NULL DEFAULT 0 CHECK (qualifier BETWEEN 0 AND 4294967295),
    account_number text NOT NULL,
    epoch bigint NOT NULL DEFAULT 0,
    host text NOT NULL DEFAULT '',
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'frozen', 'closed')),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (compliance_region, wallet_id),
    UNIQUE (compliance_region, tenant_id, currency, qualifier),
    -- Minted by the cell, never by a tenant, so the duplicate-key error tells nobody about another tenant.
    UNIQUE (compliance_region, account_number),
    FOREIGN KEY (compliance_region, tenant_id) REFERENCES tenants (compliance_region, tenant_id)
) PARTITION BY LIST (compliance_region);

SELECT kovra_protect('tenants');
SELECT kovra_protect('api_keys');
SELECT kovra_protect('wallets');

GRANT SELECT ON tenants, wallets TO kovra_api;
GRANT SELECT, INSERT ON api_keys TO kovra_api;
GRANT UPDATE (revoked_at) ON api_keys TO kovra_api;
GRANT SELECT, INSERT ON tenants, api_keys, wallets TO kovra_writer;
GRANT UPDATE (name, tier, placement) ON tenants TO kovra_writer;
GRANT UPDATE (revoked_at) ON api_keys TO kovra_writer;
GRANT UPDATE (epoch, host, state) ON wallets TO kovra_writer;

-- migrate: rollback
