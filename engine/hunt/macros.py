"""The DuckDB macros that hunting queries use: how a record is read, a field found, and an element judged, exactly as the kernel does.

A record is read once into JSON in which every scalar is a string with a letter before it: ``s`` text, ``n`` a number in its source text, ``btrue``,
``bfalse``, ``z`` null. So no number is rewritten and no kind is lost. A field is a list of such *elements*, objects as ``o`` and their compact text
without escapes; NULL where the field is missing.
"""

from __future__ import annotations

from functools import cache

from engine.sigma.folding import fold

_LAST_CASED = 0x1E943
_SPACE = r"[\t-\r\x1c-\x20\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}]"
"""What Python calls white space."""

_PIECE = r'"(?:[^"\\]|\\(?s:.))*"(?:[ \t\r\n]*:)?|-?[0-9][0-9.eE+-]*|true|false|null|[^ \t\r\n]'
_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_NUMBER = r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?"
_TIME = (
    r"^([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt ]([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9]|60)(?:\.[0-9]+)?"
    + _SPACE
    + r"?(?:[Zz]|UTC|([+-])([0-9]{2}):?([0-9]{2}))?$"
)
_DEEPEST = 12
"""Lists in lists are followed so far; deeper ones make the query fail."""

_READING = r"""
create or replace temp macro cw_tokens(raw) as regexp_extract_all(raw, '{token}');
create or replace temp macro cw_escaped(t) as replace(replace(replace(t, chr(9), '\t'), chr(10), '\n'), chr(13), '\r');
create or replace temp macro cw_tagged(t) as case
  when starts_with(t, '"') then
    case when ends_with(t, '"') then '"s' || cw_escaped(substring(t, 2))
    else '"' || cw_escaped(rtrim(t[2:-2], chr(9) || chr(10) || chr(13) || ' ')) || ':' end
  when regexp_matches(t, '^-?[0-9]') then '"n' || t || '"'
  when t in ('true', 'false') then '"b' || t || '"'
  when t = 'null' then '"z"'
  when t in ('{{', '}}', '[', ']', ':', ',') then t
  else error('crosswind: not JSON, near ' || t) end;
create or replace temp macro cw_read(raw) as cast(array_to_string(list_transform(cw_tokens(raw), lambda t: cw_tagged(t)), '') as json);
create or replace temp macro cw_flat(found) as list_reduce([{levels}]::json[][], lambda a, x:
  case when len(list_filter(a, lambda v: json_type(v) = 'ARRAY')) = 0 then a
  else flatten(list_transform(a, lambda v: case when json_type(v) = 'ARRAY' then json_extract(v, '$[*]') else [v] end)) end, found);
create or replace temp macro cw_flattened(found) as list_transform(cw_flat(found), lambda v:
  case when json_type(v) = 'ARRAY' then error('crosswind: lists are nested deeper than this query follows') else v end);
create or replace temp macro cw_objects(found) as list_filter(cw_flattened(found), lambda v: json_type(v) = 'OBJECT');
create or replace temp macro cw_lower(k) as lower(replace(k, chr(304), 'i' || chr(775)));
create or replace temp macro cw_last(k, v, name) as v[len(k) - list_position(list_reverse(k), name) + 1];
create or replace temp macro cw_key(k, name) as case when list_contains(k, name) then name
  else list_filter(k, lambda s, i: cw_lower(s) = lower(name) and list_position(k, s) = i)[-1] end;
create or replace temp macro cw_get(o, name) as case when cw_key(json_keys(o), name) is null then []::json[]
  else [cw_last(json_keys(o), json_extract(o, '$.*'), cw_key(json_keys(o), name))] end;
create or replace temp macro cw_find(objects, name) as flatten(list_transform(objects, lambda o: cw_get(o, name)));
create or replace temp macro cw_walk(objects, whole, name) as flatten(list_transform(objects, lambda o:
  case when len(cw_get(o, whole)) = 0 then cw_get(o, name) else []::json[] end));
create or replace temp macro cw_strip(t) as regexp_replace(regexp_replace(t, '^{space}+', ''), '{space}+$', '');
create or replace temp macro cw_literal(t) as regexp_full_match(
  regexp_replace(t, '''(?:[^''\\]|\\(?s:.))*''|"(?:[^"\\]|\\(?s:.))*"', '', 'g'),
  '(?:[^A-Za-z_]|True|False|None|set|[bBrRuUjJeExXoOaAcCdDfF_])*');
create or replace temp macro cw_opened(t, v) as case when not regexp_matches(t, '^[{{\[]') then v
  when json_valid(t) and not regexp_matches(regexp_replace(t, '"(?:[^"\\]|\\(?s:.))*"', '', 'g'), '[NIi]|,\s*[\]}}]') then cw_read(t)
  when cw_literal(t) then error('crosswind: an object written as text that is not JSON can only be read by a scan: ' || left(t, 80))
  else v end;
create or replace temp macro cw_open(v) as case when json_type(v) = 'VARCHAR' and starts_with(v->>'$', 's')
  then cw_opened(cw_strip(substring(v->>'$', 2)), v) else v end;
create or replace temp macro cw_twice(v) as len(list_filter(list_concat([v], json_extract(v, '$..*')), lambda o:
  json_type(o) = 'OBJECT' and len(json_keys(o)) <> len(list_distinct(json_keys(o))))) > 0;
create or replace temp macro cw_untagged(t) as case
  when not starts_with(t, '"') then t
  when not ends_with(t, '"') then '"' || (left(t, -1)->>'$') || '":'
  when starts_with(t, '"s') then '"' || substring(t->>'$', 2) || '"'
  when t = '"z"' then 'null'
  else substring(t->>'$', 2) end;
create or replace temp macro cw_compact(v) as case
  when cw_twice(v) then error('crosswind: a key stands twice in an object whose text is searched; only a scan can read it')
  else array_to_string(list_transform(cw_tokens(v::varchar), lambda t: cw_untagged(t)), '') end;
create or replace temp macro cw_elements(found) as case when len(found) = 0 then null
  else list_transform(cw_flattened(found), lambda v: case when json_type(v) = 'OBJECT' then 'o' || cw_compact(v) else v->>'$' end) end;
create or replace temp macro cw_leaves(r) as case
  when cw_twice(r) then error('crosswind: a key stands twice in a record that is searched for keywords; only a scan can read it')
  else list_transform(list_filter(cw_tokens(r::varchar), lambda t: starts_with(t, '"') and ends_with(t, '"')), lambda t: t::json->>'$') end;
"""

_JUDGING = r"""
create or replace temp macro cw_fold(t) as case when strlen(t) = length(t) then lower(t) else translate(t, '{cased}', '{folded}') end;
create or replace temp macro cw_bounded(t, strict, loose) as case when not regexp_matches(t, loose) then false
  when strlen(t) = length(t) then regexp_matches(t, strict)
  else error('crosswind: a word boundary in text beyond ASCII can only be judged by a scan: ' || left(t, 80)) end;
create or replace temp macro cw_number(e) as case when left(e, 1) in ('s', 'n')
  and regexp_full_match(substring(e, 2), '{number}') then substring(e, 2) end;
create or replace temp macro cw_whole(e) as case when cw_number(e) is null or regexp_matches(cw_number(e), '[.eE]') then null
  when length(cw_number(e)) <= 38 then cast(cw_number(e) as hugeint)
  when starts_with(cw_number(e), '-') then -({beyond}) else {beyond} end;
create or replace temp macro cw_real(e) as case when regexp_matches(cw_number(e), '[.eE]') then cast(cw_number(e) as double) end;
create or replace temp macro cw_whole_is_real(w, r) as abs(w) < {beyond} and abs(r) < 1e38 and r = trunc(r) and cast(r as hugeint) = w;
create or replace temp macro cw_equal(a, b) as coalesce('n' in (left(a, 1), left(b, 1)) and (
  (cw_whole(a) = cw_whole(b) and abs(cw_whole(a)) < {beyond}) or cw_real(a) = cw_real(b)
  or cw_whole_is_real(cw_whole(a), cw_real(b)) or cw_whole_is_real(cw_whole(b), cw_real(a))), false);
create or replace temp macro cw_in_range(t) as
  case when t >= timestamp '0001-01-01' and t < timestamp '10000-01-01' then t end;
create or replace temp macro cw_micros(seconds) as
  trunc(seconds) * 1000000 + round_even((seconds - trunc(seconds)) * 1000000, 0);
create or replace temp macro cw_epoch(micros) as
  case when micros between -62135596800000000 and 253402300799999999 then make_timestamp(micros::bigint) end;
create or replace temp macro cw_written(p) as cw_in_range(try_cast(
  case when p[1] = '0000' then null else p[1] || '-' || p[2] || '-' || p[3] || ' ' || p[4] || ':' || p[5] || ':' || least(p[6], '59')
  end as timestamp)
  - case when p[7] = '' then interval 0 minute
    else to_minutes((p[7] || '1')::integer * (p[8]::integer * 60 + p[9]::integer)) end);
create or replace temp macro cw_moment(e) as case
  when left(e, 1) not in ('s', 'n') then null
  when regexp_matches(substring(e, 2), '{time}') then
    cw_written([{groups}])
  when cw_whole(e) is not null then
    case when abs(cw_whole(e)) >= {beyond} then null when abs(cw_whole(e)) >= 100000000000 then
      case when abs(cw_whole(e)) < 10::hugeint * 1000000000000000 then cw_epoch(cw_whole(e) * 1000) end
    else cw_epoch(cw_whole(e) * 1000000) end
  when abs(cw_real(e)) < 1e16 then cw_epoch(cw_micros(case when abs(cw_real(e)) >= 1e11 then cw_real(e) / 1000 else cw_real(e) end)) end;
create or replace temp macro cw_fraction(micros) as case when micros % 1000000 = 0 then ''
  when micros % 1000 = 0 then '.' || lpad(((micros // 1000) % 1000)::varchar, 3, '0')
  else '.' || lpad((micros % 1000000)::varchar, 6, '0') end;
create or replace temp macro cw_time(micros) as strftime(make_timestamp(micros), '%Y-%m-%dT%H:%M:%S')
  || cw_fraction(((micros % 1000000) + 1000000) % 1000000) || 'Z';
create or replace temp macro cw_ip4(t) as case when regexp_full_match(t, '{octet}(?:\.{octet}){{3}}') then
  array_to_string(list_transform(string_split(t, '.'), lambda o: format('{{:02x}}', o::integer)), '') end;
create or replace temp macro cw_groups(t) as case when t = '' then []::varchar[] else string_split(t, ':') end;
create or replace temp macro cw_joined(hi, lo, gap) as case when len(hi) + len(lo) <= 8 - gap then
  array_to_string(list_transform(list_concat(hi, list_resize([]::varchar[], 8 - len(hi) - len(lo), '0'), lo), lambda h: lpad(h, 4, '0')), '') end;
create or replace temp macro cw_hextets(t) as case
  when regexp_full_match(t, '[0-9a-f]{{1,4}}(?::[0-9a-f]{{1,4}}){{7}}') then cw_joined(cw_groups(t), []::varchar[], 0)
  when regexp_full_match(t, '(?:[0-9a-f]{{1,4}}(?::[0-9a-f]{{1,4}})*)?::(?:[0-9a-f]{{1,4}}(?::[0-9a-f]{{1,4}})*)?')
    then cw_joined(cw_groups(split_part(t, '::', 1)), cw_groups(split_part(t, '::', 2)), 1) end;
create or replace temp macro cw_tail(h) as left(h, 4) || ':' || substring(h, 5);
create or replace temp macro cw_plain6(t) as case when not contains(t, '.') then t
  else regexp_extract(t, '^(.*:)[^:]*$', 1) || cw_tail(cw_ip4(regexp_extract(t, '([^:]*)$', 1))) end;
create or replace temp macro cw_ip6(t) as case when regexp_full_match(t, '[^%]*(?:%[^%/]+)?') and not contains(t, '/')
  then cw_hextets(cw_plain6(lower(split_part(t, '%', 1)))) end;
"""


@cache
def prelude() -> str:
    """Statements that create the macros, temporary ones: nothing is written to the database. Run them once before the queries."""
    cased = [chr(code) for code in range(_LAST_CASED + 1) if not 0xD800 <= code <= 0xDFFF and fold(chr(code)) != chr(code)]
    groups = ", ".join(f"regexp_extract(substring(e, 2), '{_TIME}', {number})" for number in range(1, 10))
    values = {
        "token": _PIECE,
        "space": _SPACE,
        "levels": ", ".join(["[]"] * _DEEPEST),
        "cased": "".join(cased),
        "folded": "".join(map(fold, cased)),
        "number": _NUMBER,
        "time": _TIME,
        "groups": groups,
        "octet": _OCTET,
        "beyond": "99999999999999999999999999999999999999::hugeint",
    }
    return (_READING + _JUDGING).format_map(values).strip()
