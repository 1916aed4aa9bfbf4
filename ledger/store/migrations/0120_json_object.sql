-- Details of the audit log are text, the very bytes that are hashed. Whoever compares them must not fall over one that somebody has
-- tampered with: what is no JSON object is null here, and the chain of the log names its row.
create function json_object_or_null (given text) returns jsonb language plpgsql immutable as $$
begin
  return case jsonb_typeof(given::jsonb) when 'object' then given::jsonb end;
exception when others then
  return null;
end $$;
