-- What screening found, and with which lists: one row per check, never changed.
-- depends: 0030_vault

-- migrate: apply

-- reason: the code of a review, the list of a block, or the officer who found a possible match to be somebody else (reviewed).
-- lists maps each list used to its version. entry_list, entry_reference and score say which entry was met: for the
-- compliance officer alone, so the API's role may write but not read them. Nothing here holds a name.
CREATE TABLE screenings (
    compliance_region text NOT NULL,
    subject_id text NOT NULL,
    checked_at timestamptz NOT NULL,
    tenant_id text NOT NULL,
    result text NOT NULL CHECK (result IN ('clear', 'reviewed', 'review', 'block')),
    reason text NOT NULL DEFAULT '',
    lists jsonb NOT NULL,
    entry_list text,
    entry_reference text,
    score int CHECK (score BETWEEN 0 AND 100),
    -- Subject ids are minted by the cell, never by a tenant, so a duplicate tells nobody about another tenant.
    PRIMARY KEY (compliance_region, subject_id, checked_at),
    FOREIGN KEY (compliance_region, subject_id) REFERENCES subjects (compliance_region, subject_id)
) PARTITION BY LIST (compliance_region);

CALL kovra_protect('screenings');

GRANT SELECT, INSERT ON screenings TO kovra_writer;
GRANT INSERT ON screenings TO kovra_api;
GRANT SELECT (compliance_region, subject_id, checked_at, tenant_id, result, reason, lists) ON screenings TO kovra_api;

-- migrate: rollback
