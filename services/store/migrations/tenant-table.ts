/** Creates a table of one tenant's rows. Without a tenant nothing can be seen and nothing written; an empty tenant is no tenant. */
export function tenantTable(name: string, columns: string): string {
  return `
    CREATE TABLE ${name} (tenant_id text NOT NULL DEFAULT current_setting('codetether.tenant'), ${columns});
    ALTER TABLE ${name} ENABLE ROW LEVEL SECURITY;
    ALTER TABLE ${name} FORCE ROW LEVEL SECURITY;
    CREATE POLICY tenant ON ${name}
      USING (tenant_id = nullif(current_setting('codetether.tenant', true), ''))
      WITH CHECK (tenant_id = nullif(current_setting('codetether.tenant', true), ''));`;
}
