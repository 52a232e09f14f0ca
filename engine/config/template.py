"""What `crosswind config init` writes: every section, ready to be filled in."""

from __future__ import annotations

TEMPLATE = """\
# crosswind.toml: what `crosswind run` reads, where it keeps it, what it looks for, whom it tells.
# Every setting: docs/configuration.md. `crosswind config check` says what is wrong, `crosswind config show` what holds.
# Relative paths start from the folder of this file. Times: 90s, 15m, 2h, 7d, 4w. Sizes: 5 MiB.
# Environment variables override: CROSSWIND_LAKE, CROSSWIND_STATE, CROSSWIND_SECTION_KEY, CROSSWIND_SOURCE_NAME_KEY.
# Secrets do not stand here: { env = "NAME" } or { file = "path" } says where they are.

[lake]
path = "lake"                           # events, hits and rejects, as Delta Lake tables; holds logs as they are

[state]
url = "state.db"                        # alerts and what is known of each batch: an SQLite file, or { env = "NAME" } with a postgresql:// URL

[source.cloudtrail]
path = "logs"                           # files, folders, patterns such as "logs/**/*.json.gz"; a list of them
# source = "aws.cloudtrail"             # only where every record is of one source; `crosswind sources` lists them
# lateness = "15m"                      # how late its records may arrive; default: what is usual for its source

[rules]
builtin = true                          # crosswind's own detections
# paths = ["rules"]                     # Sigma rules of yours
# pipelines = []                        # pySigma processing pipelines for them
# min_level = "low"                     # the lowest level that is sent to sinks
# variables = { admins = ["alice@example.com"] }

# [redaction]
# show_content = false                  # true sends prompts, completions and credentials to sinks as they are

# [limits]
# horizon = "7d"                        # how far back late data may still change alerts
# hit_retention = "30d"                 # how long hits are kept
# threads = 4                           # default: all cores

# [sink.siem]
# type = "elasticsearch"
# hosts = ["https://localhost:9200"]
# api_key = { env = "ES_API_KEY" }      # or username and password = { file = "es_password" }
# ca_certs = "ca.pem"

# [sink.copy]
# type = "file"
# path = "alerts.ndjson"

# [sink.chat]
# type = "webhook"
# url = { env = "CHAT_WEBHOOK" }
# style = "slack"

# [job.detect]
# command = "run"
# every = "5m"

# [job.health]
# command = "check"                     # looks at crosswind itself: silent sources, failing rules, the outbox, the clock
# every = "5m"

# [job.compact]
# command = "lake compact"
# cron = "0 3 * * *"
# timezone = "UTC"
"""
