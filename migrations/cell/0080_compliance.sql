-- What screening found, and with which lists: one row per check, never changed.
-- depends: 0030_vault

-- migrate: apply

-- reason: the code of a review, the list of a block, or the officer who found a possible match to be somebody else (reviewed).
-- lists maps each list used to its version. entry_list, entry_reference and score say which entry was met: for the
-- compliance officer alone, so the API's role may write but not read them. Nothing here holds a name.
create table screenings (
    compliance_region text not null,
    subject_id text not null,
    checked_at instant not null,
    tenant_id text not null,
    result text not null check (result in ('clear', 'reviewed', 'review', 'block')),
    reason text not null default '',
    lists jsonb not null,
    entry_list text,
    entry_reference text,
    score int check (score between 0 and 100),
    -- Subject ids are minted by the cell, never by a tenant, so a duplicate tells nobody about another tenant.
    primary key (compliance_region, subject_id, checked_at),
    foreign key (compliance_region, subject_id) references subjects (compliance_region, subject_id)
) partition by list (compliance_region);

call kovra_protect('screenings');

grant select, insert on screenings to kovra_writer;
grant insert on screenings to kovra_api;
grant select (compliance_region, subject_id, checked_at, tenant_id, result, reason, lists) on screenings to kovra_api;

-- migrate: rollback
