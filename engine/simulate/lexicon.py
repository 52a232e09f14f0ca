"""Words to name things with. Every name of a company, an attacker or a tool is put together from these by the seed."""

from __future__ import annotations

GIVEN = (
    *("ada", "amir", "anouk", "bela", "bruno", "carla", "chidi", "dario", "delia", "edda", "elif", "emeka", "farid", "freya", "gita", "goran"),
    *("hugo", "ines", "ismail", "jana", "jonas", "kaya", "kofi", "lara", "leif", "lior", "mara", "mateo", "mei", "milan", "nadia", "nils"),
    *("noor", "olga", "oskar", "paolo", "petra", "quinn", "rafael", "rania", "ravi", "rosa", "samir", "sofia", "tariq", "thea", "tomas", "uma"),
    *("vera", "viktor", "wanda", "yara", "yusuf", "zoe"),
)
FAMILY = (
    *("abel", "arslan", "bauer", "berg", "blanc", "castro", "chen", "costa", "dahl", "diaz", "duarte", "ekman", "farkas", "ferreira", "garcia"),
    *("gruber", "haddad", "hansen", "ibarra", "ilic", "jensen", "kaya", "keller", "kim", "kowal", "kumar", "lang", "lemaire", "lopez", "mancini"),
    *("meyer", "moreno", "murphy", "nagy", "ndiaye", "nowak", "okoye", "olsen", "park", "pavlov", "pereira", "quist", "rahman", "romano", "rossi"),
    *("sato", "silva", "singh", "sorensen", "takeda", "tanaka", "toth", "umar", "varga", "weber", "yilmaz", "zhang"),
)
DOMAINS = ("example.com", "example.org", "example.net", "corp.example", "shop.example")
ORGS = ("acme-example", "northwind-example", "globex-example", "umbrella-example", "initech-example", "hooli-example")
AREAS = (
    *("orders", "billing", "search", "catalogue", "returns", "checkout", "ledger", "pricing", "media", "notify", "profile", "ranking", "risk"),
    *("routing", "stock", "survey", "tickets", "wallet", "crm", "docs", "events", "feeds", "forecast", "geo", "identity", "labels", "mail"),
    *("partner", "portal", "quota", "rates", "scoring"),
)
PARTS = ("api", "worker", "indexer", "batch", "stream", "sync", "loader", "reader", "writer", "cron", "gateway", "consumer")
JOBS = (("engineer", 30), ("office", 34), ("scientist", 14), ("platform", 10), ("security", 5), ("finance", 7))
"""Who works there, with weights."""
PLACES = (
    ("Lyon", "Auvergne-Rhone-Alpes", "FR", 45.75, 4.85, 1),
    ("Porto", "Porto", "PT", 41.15, -8.61, 0),
    ("Austin", "Texas", "US", 30.27, -97.74, -6),
    ("Pune", "Maharashtra", "IN", 18.52, 73.86, 5),
    ("Osaka", "Osaka", "JP", 34.69, 135.5, 9),
    ("Leeds", "England", "GB", 53.8, -1.55, 0),
    ("Toronto", "Ontario", "CA", 43.65, -79.38, -5),
    ("Sao Paulo", "Sao Paulo", "BR", -23.55, -46.63, -3),
    ("Tallinn", "Harjumaa", "EE", 59.44, 24.75, 2),
    ("Nairobi", "Nairobi", "KE", -1.29, 36.82, 3),
    ("Sofia", "Sofia", "BG", 42.7, 23.32, 2),
    ("Jakarta", "Jakarta", "ID", -6.2, 106.85, 7),
)
"""City, state, country, latitude, longitude, hours from UTC."""
ACCOUNTS = (
    *("111122223333", "444455556666", "777788889999", "123456789012", "111111111111", "222222222222", "333333333333", "555555555555"),
    *("666666666666", "888888888888", "999999999999", "012345678901", "210987654321", "112233445566"),
)
"""Account numbers of the kind documentation uses."""
REGIONS = ("us-east-1", "us-west-2", "eu-west-1", "eu-central-1", "ap-southeast-2", "ap-northeast-1", "ca-central-1", "sa-east-1", "ap-south-1")
NETWORKS = (*range(64496, 64512), *range(65536, 65552))
"""Autonomous system numbers for documentation."""
BROWSERS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{v}.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.{m} Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:{v}.0) Gecko/20100101 Firefox/{v}.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{v}.0.0.0 Safari/537.36 Edg/{v}.0.0.0",
)
TOOLS = (
    "aws-cli/2.{m}.{p} md/awscrt#0.23.8 ua/2.0 os/linux#6.8.0 md/arch#x86_64 lang/python#3.12.9",
    "Boto3/1.{v}.{p} md/Botocore#1.{v}.{p} ua/2.0 os/windows#10 md/arch#amd64 lang/python#3.11.4",
    "python-requests/2.{m}.{p}",
    "aws-sdk-go-v2/1.{m}.{p} os/linux lang/go#1.22.{p} md/GOOS#linux md/GOARCH#amd64",
    "Go-http-client/1.1",
    "axios/1.{m}.{p}",
    "curl/8.{m}.0",
)
"""What attackers call with; benign people and programs use most of these too."""
GCP_TOOLS = (
    "google-cloud-sdk gcloud/5{m}.0.0 command/gcloud.auth.print-access-token environment/None python/3.12.8 (Linux 6.8.0)",
    "google-api-python-client/2.{m}.{p} (gzip)",
    "gl-python/3.12.{p} grpc/1.70.0 gax/2.24.1 gapic/1.{m}.0",
    "python-requests/2.{m}.{p}",
    "google-api-go-client/0.5 Terraform/1.{p}.0",
    "curl/8.{m}.0",
)
BACKDOORS = ("support-sync", "svc-backup", "monitoring2", "ops-readonly", "billing-report", "cloud-health", "dataops", "sysadmin01", "audit-helper")
BEDROCK_MODELS = (
    "anthropic.claude-3-haiku-20240307-v1:0",
    "anthropic.claude-3-sonnet-20240229-v1:0",
    "anthropic.claude-3-opus-20240229-v1:0",
    "anthropic.claude-3-5-sonnet-20241022-v2:0",
    "anthropic.claude-v2:1",
    "amazon.nova-lite-v1:0",
    "amazon.nova-pro-v1:0",
    "meta.llama3-70b-instruct-v1:0",
    "mistral.mistral-large-2402-v1:0",
    "cohere.command-r-plus-v1:0",
    "ai21.jamba-1-5-large-v1:0",
)
GEMINI_MODELS = ("gemini-2.0-flash-001", "gemini-2.5-pro", "gemini-2.5-flash")
