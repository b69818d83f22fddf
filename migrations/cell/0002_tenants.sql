-- tenants, their API keys and their wallets
-- depends: 0001_roles

-- migrate: apply

-- A tenant is provisioned into every cell with the same id and the same owner number (the 64-bit owner of the ledger's
-- account ids). It is a company: nothing here is personal data.
create table tenants (
    compliance_region text not null,
    tenant_id text not null,
    name text not null,
    home_region text not null,
    home_cell text not null,
    tier text not null,
    environment text not null check (environment in ('sandbox', 'live')),
    owner_number bigint not null check (owner_number > 0),
    placement text not null check (placement in ('shared', 'own')),
    agreed_margin_bps integer check (agreed_margin_bps >= 0),
    created_at instant not null default now(),
    primary key (compliance_region, tenant_id),
    unique (compliance_region, owner_number)
) partition by list (compliance_region);

-- Three ways in: `key` (sent with each request), `signature` (signs each request), `client` (asks for tokens). Of a secret only the
-- SHA-256 is kept: it has 256 bits of its own, so a slow hash would add nothing. What signs must be known in full to be checked:
-- that one is sealed under the region's key as well (cells/backends/vault.py).
create table api_keys (
    compliance_region text not null,
    key_id text not null,
    tenant_id text not null,
    secret_sha256 bytea not null check (octet_length(secret_sha256) = 32),
    scopes text[] not null,
    label text not null,
    credential_type text not null check (credential_type in ('key', 'signature', 'client')),
    secret_kid text,
    secret_key bytea,
    secret_nonce bytea,
    secret_sealed bytea,
    created_at instant not null default now(),
    expires_at instant,
    revoked_at instant,
    last_used_at instant,
    primary key (compliance_region, key_id),
    check ((credential_type = 'signature') = (secret_sealed is not null)),
    -- What administers the cell is never a partner's.
    check (tenant_id = 'platform' or not 'admin' = any (scopes)),
    foreign key (compliance_region, tenant_id) references tenants (compliance_region, tenant_id)
) partition by list (compliance_region);
create index api_keys_by_tenant on api_keys (compliance_region, tenant_id);

-- A wallet's epoch fences its writer: a host that journals under an epoch other than the row's is a stale copy.
create table wallets (
    compliance_region text not null,
    wallet_id text not null,
    tenant_id text not null,
    currency text not null check (currency ~ '^[A-Z]{3}$'),
    qualifier bigint not null check (qualifier between 0 and 4294967295),
    account_number text not null,
    epoch bigint not null default 0,
    host text not null default '',
    state text not null default 'open' check (state in ('open', 'closed')),
    created_at instant not null default now(),
    primary key (compliance_region, wallet_id),
    unique (compliance_region, tenant_id, currency, qualifier),
    -- Minted by the cell, never chosen by a tenant: a duplicate tells nobody anything about another tenant.
    unique (compliance_region, account_number),
    foreign key (compliance_region, tenant_id) references tenants (compliance_region, tenant_id)
) partition by list (compliance_region);

call kovra_protect('tenants');
call kovra_protect('api_keys');
call kovra_protect('wallets');

grant select on tenants, api_keys, wallets to kovra_api;
grant update (revoked_at) on api_keys to kovra_api;
grant select, insert on tenants, api_keys, wallets to kovra_writer;
grant update (name, tier, placement, agreed_margin_bps) on tenants to kovra_writer;
grant update (expires_at, revoked_at, last_used_at, secret_kid, secret_key) on api_keys to kovra_writer;
grant update (epoch, host, state) on wallets to kovra_writer;

-- Who a caller is must be known before its tenant can be: one key by its exact id, with its tenant, and nothing else.
-- The owner's policies exist for this function alone (the tables force row security upon their owner too).
create policy owner_reads on tenants for select to current_user using (true);
create policy owner_reads on api_keys for select to current_user using (true);
create function find_api_keys(region text, ids text[]) returns table (
    key_id text, tenant_id text, secret_sha256 bytea, scopes text[], label text, credential_type text, secret_kid text, secret_key bytea,
    secret_nonce bytea, secret_sealed bytea, created_at timestamptz, expires_at timestamptz, revoked_at timestamptz,
    last_used_at instant, name text, home_region text, home_cell text, tier text, environment text,
    owner_number bigint, placement text, agreed_margin_bps integer, checked_at timestamptz
)
    language sql stable security definer set search_path = public, pg_temp as $$
    select k.key_id, k.tenant_id, k.secret_sha256, k.scopes, k.label, k.credential_type, k.secret_kid, k.secret_key, k.secret_nonce,
           k.secret_sealed, k.created_at, k.expires_at, k.revoked_at, k.last_used_at, t.name, t.home_region, t.home_cell, t.tier, t.environment, t.owner_number, t.placement, t.agreed_margin_bps, now()
    from api_keys k join tenants t using (compliance_region, tenant_id)
    where k.compliance_region = region and k.key_id = any (ids)
$$;
revoke all on function find_api_keys(text, text[]) from public;
grant execute on function find_api_keys(text, text[]) to kovra_api, kovra_writer;

-- Which wallets have been granted an actor of their own, in the order of the grants: every process of the cell must find the same.
create policy owner_reads on wallets for select to current_user using (true);
create function own_wallets(region text, most integer) returns table (wallet_id text)
    language sql stable security definer set search_path = public, pg_temp as $$
    select w.wallet_id from wallets w join tenants t using (compliance_region, tenant_id)
    where w.compliance_region = region and t.placement = 'own' and w.state = 'open'
    order by w.wallet_id limit most
$$;
revoke all on function own_wallets(text, integer) from public;
grant execute on function own_wallets(text, integer) to kovra_api, kovra_writer;

-- migrate: rollback
