-- The vault of personal data, and the recipients and payers that it is about.
-- depends: 0002_tenants

-- migrate: apply

-- One row per person or company. Its data key is wrapped by the region's key; erasing sets wrapped_key to null and
-- leaves the row, so that everything that names the subject still finds it. erase_after: the day the law's retention ends.
CREATE TABLE subjects (
    compliance_region text NOT NULL,
    subject_id text NOT NULL,
    tenant_id text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('recipient', 'payer', 'debtor', 'transfer')),
    wrapped_key bytea CHECK (octet_length(wrapped_key) = 60),
    kek_kid text,
    created_at timestamptz NOT NULL DEFAULT now(),
    erase_after timestamptz,
    erased_at timestamptz,
    -- Ids are minted by the cell, never by a tenant, so a duplicate tells nobody about another tenant.
    PRIMARY KEY (compliance_region, subject_id),
    CHECK ((erased_at IS NULL) = (wrapped_key IS NOT NULL)),
    CHECK ((wrapped_key IS NULL) = (kek_kid IS NULL)),
    FOREIGN KEY (compliance_region, tenant_id) REFERENCES tenants (compliance_region, tenant_id)
) PARTITION BY LIST (compliance_region);
CREATE INDEX subjects_kek ON subjects (compliance_region, kek_kid) WHERE wrapped_key IS NOT NULL;
CREATE INDEX subjects_due ON subjects (compliance_region, erase_after) WHERE erase_after IS NOT NULL AND erased_at IS NULL;

CREATE TABLE sealed_records (
    compliance_region text NOT NULL,
    subject_id text NOT NULL,
    tenant_id text NOT NULL,
    nonce bytea NOT NULL CHECK (octet_length(nonce) = 12),
    ciphertext bytea NOT NULL,
    PRIMARY KEY (compliance_region, subject_id),
    FOREIGN KEY (compliance_region, subject_id) REFERENCES subjects (compliance_region, subject_id)
) PARTITION BY LIST (compliance_region);

-- Whether a recipient or payer may be paid is not kept here: its last screening says so (0080).
-- bank: the BIC or national bank code, which names an institution and no person. token: the id that partners hold.
CREATE TABLE recipients (
    compliance_region text NOT NULL,
    recipient_id text NOT NULL,
    tenant_id text NOT NULL,
    token text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('person', 'business')),
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    country text NOT NULL CHECK (country ~ '^[A-Z]{2}$'),
    bank text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz,
    -- What the account's bank last said of the recipient's name, and when; never a name.
    name_check text CHECK (name_check IN ('match', 'close', 'no_match', 'unavailable')),
    name_checked_at timestamptz,
    CHECK ((name_check IS NULL) = (name_checked_at IS NULL)),
    PRIMARY KEY (compliance_region, recipient_id),
    FOREIGN KEY (compliance_region, recipient_id) REFERENCES subjects (compliance_region, subject_id)
) PARTITION BY LIST (compliance_region);
CREATE INDEX recipients_tenant ON recipients (compliance_region, tenant_id, recipient_id);

CREATE TABLE payers (
    compliance_region text NOT NULL,
    payer_id text NOT NULL,
    tenant_id text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('person', 'business')),
    created_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz,
    PRIMARY KEY (compliance_region, payer_id),
    FOREIGN KEY (compliance_region, payer_id) REFERENCES subjects (compliance_region, subject_id)
) PARTITION BY LIST (compliance_region);
CREATE INDEX payers_tenant ON payers (compliance_region, tenant_id, payer_id);

CALL kovra_protect('subjects');
CALL kovra_protect('sealed_records');
CALL kovra_protect('recipients');
CALL kovra_protect('payers');

GRANT SELECT, INSERT ON subjects, sealed_records, recipients, payers TO kovra_api, kovra_writer;
GRANT UPDATE (wrapped_key, kek_kid, erase_after, erased_at) ON subjects TO kovra_api, kovra_writer;
GRANT UPDATE (deleted_at) ON recipients, payers TO kovra_api, kovra_writer;
GRANT UPDATE (name_check, name_checked_at) ON recipients TO kovra_api;

-- migrate: rollback
