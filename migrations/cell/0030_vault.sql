-- The vault of personal data, and the recipients and payers that it is about.
-- depends: 0002_tenants

-- migrate: apply

-- One row per person or company. Its data key is wrapped by the region's key; erasing sets wrapped_key to null and
-- leaves the row, so that everything that names the subject still finds it. erase_after: the day the law's retention ends.
create table subjects (
    compliance_region text not null,
    subject_id text not null,
    tenant_id text not null,
    kind text not null check (kind in ('recipient', 'payer', 'debtor', 'transfer')),
    wrapped_key bytea check (octet_length(wrapped_key) = 60),
    kek_kid text,
    created_at instant not null default now(),
    erase_after instant,
    erased_at instant,
    -- Ids are minted by the cell, never by a tenant, so a duplicate tells nobody about another tenant.
    primary key (compliance_region, subject_id),
    check ((erased_at is null) = (wrapped_key is not null)),
    check ((wrapped_key is null) = (kek_kid is null)),
    foreign key (compliance_region, tenant_id) references tenants (compliance_region, tenant_id)
) partition by list (compliance_region);
create index subjects_kek on subjects (compliance_region, kek_kid) where wrapped_key is not null;
create index subjects_due on subjects (compliance_region, erase_after) where erase_after is not null and erased_at is null;

create table sealed_records (
    compliance_region text not null,
    subject_id text not null,
    tenant_id text not null,
    nonce bytea not null check (octet_length(nonce) = 12),
    ciphertext bytea not null,
    primary key (compliance_region, subject_id),
    foreign key (compliance_region, subject_id) references subjects (compliance_region, subject_id)
) partition by list (compliance_region);

-- Whether a recipient or payer may be paid is not kept here: its last screening says so (0080).
-- bank: the BIC or national bank code, which names an institution and no person. token: the id that partners hold.
create table recipients (
    compliance_region text not null,
    recipient_id text not null,
    tenant_id text not null,
    token text not null,
    kind text not null check (kind in ('person', 'business')),
    currency text not null check (currency ~ '^[A-Z]{3}$'),
    country text not null check (country ~ '^[A-Z]{2}$'),
    bank text not null,
    created_at instant not null default now(),
    deleted_at instant,
    -- What the account's bank last said of the recipient's name, and when; never a name.
    name_check text check (name_check in ('match', 'close', 'no_match', 'unavailable')),
    name_checked_at instant,
    check ((name_check is null) = (name_checked_at is null)),
    primary key (compliance_region, recipient_id),
    foreign key (compliance_region, recipient_id) references subjects (compliance_region, subject_id)
) partition by list (compliance_region);
create index recipients_tenant on recipients (compliance_region, tenant_id, recipient_id);

create table payers (
    compliance_region text not null,
    payer_id text not null,
    tenant_id text not null,
    kind text not null check (kind in ('person', 'business')),
    created_at instant not null default now(),
    deleted_at instant,
    primary key (compliance_region, payer_id),
    foreign key (compliance_region, payer_id) references subjects (compliance_region, subject_id)
) partition by list (compliance_region);
create index payers_tenant on payers (compliance_region, tenant_id, payer_id);

call kovra_protect('subjects');
call kovra_protect('sealed_records');
call kovra_protect('recipients');
call kovra_protect('payers');

grant select, insert on subjects, sealed_records, recipients, payers to kovra_api, kovra_writer;
grant update (wrapped_key, kek_kid, erase_after, erased_at) on subjects to kovra_api, kovra_writer;
grant update (deleted_at) on recipients, payers to kovra_api, kovra_writer;
grant update (name_check, name_checked_at) on recipients to kovra_api;

-- migrate: rollback
