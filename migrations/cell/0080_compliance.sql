-- What screening found, and with which lists: one row per check, never changed.
-- depends: 0030_vault

-- migrate: apply

-- reason: the code of a review, the list of a block (`officer` where no list says so), or the officers who found a possible match to be
-- somebody else (reviewed). officer: who decided, '' where the lists did; an officer's block stands until officers release it.
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
    officer text not null default '',
    -- Subject ids are minted by the cell, never by a tenant, so a duplicate tells nobody about another tenant.
    primary key (compliance_region, subject_id, checked_at),
    foreign key (compliance_region, subject_id) references subjects (compliance_region, subject_id)
) partition by list (compliance_region);
create index screenings_decided on screenings (compliance_region, subject_id, checked_at) where officer <> '';
create index screenings_found on screenings (compliance_region, subject_id) where result in ('review', 'block');

-- What officers decide of a case: a payment under review, frozen or in doubt, or a party that screening has found. A first decision that takes a
-- second officer is `proposed`, of the case as it stood (`case_version`), until another confirms it (`done`), decides otherwise
-- (`superseded`), or the case moves on (`lapsed`). Officers, reasons and references are handles and codes, never free text.
create table review_decisions (
    compliance_region text not null,
    decision_id text not null,
    case_id text not null,
    case_version text not null,
    tenant_id text not null,
    deed text not null check (deed in ('clear', 'refuse', 'block', 'release', 'release_to_payer', 'release_to_payee', 'doubt_settled',
        'doubt_refused')),
    officer text not null,
    reason text not null,
    reference text not null default '',
    state text not null check (state in ('proposed', 'done', 'superseded', 'lapsed')),
    second_officer text,
    second_reason text,
    decided_at instant not null default now(),
    closed_at instant,
    primary key (compliance_region, decision_id),
    check ((state = 'proposed') = (closed_at is null)),
    check (second_officer is distinct from officer)
) partition by list (compliance_region);
create index review_decisions_by_case on review_decisions (compliance_region, case_id, decision_id);
create unique index review_decisions_open on review_decisions (compliance_region, case_id) where state = 'proposed';

call kovra_protect('screenings');
call kovra_protect('review_decisions');

grant select, insert on screenings to kovra_writer;
grant insert on screenings to kovra_api;
grant select, insert on review_decisions to kovra_writer;
grant update (state, second_officer, second_reason, closed_at) on review_decisions to kovra_writer;
grant select (compliance_region, subject_id, checked_at, tenant_id, result, reason, lists, officer) on screenings to kovra_api;

-- migrate: rollback
