"""How one identity becomes another: sign-ins, issued keys, assertions, exchanged and delegated tokens.

Each function makes the records of the step and returns who acts from then on, with exactly the ids that the records issued.
"""

from __future__ import annotations

import random
from datetime import datetime

from engine.simulate import lexicon
from engine.simulate.company import Company, Employee, ManagedIdentity, ServiceAccount, ServiceUser
from engine.simulate.ground import Ground
from engine.simulate.native import ids
from engine.simulate.native.actors import Person, Role, ServicePrincipal
from engine.simulate.native.aws import AwsCaller, iam_user
from engine.simulate.native.azure import AzureCaller
from engine.simulate.native.entra import APPS
from engine.simulate.native.entries import Record
from engine.simulate.native.gcp import GcpCaller, Target, key_name

GITHUB = "token.actions.githubusercontent.com"
GOOGLE = "accounts.google.com"
STS = "google.identity.sts.v1.SecurityTokenService.ExchangeToken"


def location(place: int) -> Record:
    """A place as sign-ins have it."""
    city, state, country, latitude, longitude, _ = lexicon.PLACES[place]
    return {"city": city, "state": state, "countryOrRegion": country, "geoCoordinates": {"latitude": latitude, "longitude": longitude}}


def network(ip: str) -> int:
    """The autonomous system of an address: equal addresses, equal systems."""
    number: int = lexicon.NETWORKS[sum(ip.encode()) % len(lexicon.NETWORKS)]
    return number


def own_user(person: Employee, ip: str, agent: str) -> AwsCaller:
    """A person's IAM user with its long-lived key."""
    return iam_user(person.account, person.name, person.aws_id, person.aws_key, ip, agent)


def keyed(user: ServiceUser, ip: str, agent: str) -> AwsCaller:
    """A program's IAM user with its long-lived key."""
    return iam_user(user.account, user.name, user.uid, user.key, ip, agent)


def saml(g: Ground, when: datetime, person: Person, role: Role, ip: str, agent: str) -> AwsCaller:
    """A person enters AWS with an assertion of Entra ID."""
    company, rng = g.company, g.trail.rng
    provider = f"arn:aws:iam::{role.account}:saml-provider/EntraID"
    qualifier = ids.hexes(rng, 28)
    identity = {"type": "SAMLUser", "principalId": f"{qualifier}:{person.upn}", "userName": person.upn, "identityProvider": qualifier}
    asked = {"sAMLAssertionID": f"_{ids.guid(rng)}", "principalArn": provider}
    said: Record = {"subject": person.upn, "subjectType": "persistent", "issuer": company.idp, "nameQualifier": qualifier}
    said |= {"audience": "https://signin.aws.amazon.com/saml", "packedPolicySize": 6}
    caller = AwsCaller(identity, role.account, ip, agent)
    who, _ = g.trail.assume(when, caller, role, person.upn, name="AssumeRoleWithSAML", params=asked, result=said)
    return who


def web_identity(
    g: Ground, when: datetime, role: Role, issuer: str, audience: str, subject: str, session: str, ip: str, agent: str, *, region: str = "us-east-1"
) -> AwsCaller:
    """A workload enters AWS with an OIDC token; the session carries the token's subject on."""
    known = issuer == GOOGLE
    provider = issuer if known else f"arn:aws:iam::{role.account}:oidc-provider/{issuer}"
    principal = f"{provider}:{audience}:{subject}"
    identity = {"type": "WebIdentityUser", "principalId": principal, "userName": subject, "identityProvider": provider}
    said = {"subjectFromWebIdentityToken": subject, "provider": provider, "audience": audience}
    caller = AwsCaller(identity, role.account, ip, agent)
    who, _ = g.trail.assume(when, caller, role, session, name="AssumeRoleWithWebIdentity", result=said, region=region)
    claims = {"aud": audience, "sub": subject}
    attributes = {f"{issuer}:{name}": value for name, value in claims.items()}
    who.identity["sessionContext"]["webIdFederationData"] = {"federatedProvider": provider, "attributes": attributes}
    return who


def session_token(g: Ground, when: datetime, who: AwsCaller) -> AwsCaller:
    """An IAM user gets a temporary key by GetSessionToken."""
    key = ids.plain_key(g.trail.rng, who.account)
    credentials = {"accessKeyId": key, "sessionToken": "HIDDEN_DUE_TO_SECURITY_REASONS"}
    g.trail.call(when, who, "sts", "GetSessionToken", params={"durationSeconds": 43200}, result={"credentials": credentials})
    context = {"attributes": {"creationDate": ids.seconds(when), "mfaAuthenticated": "false"}}
    return AwsCaller({**who.identity, "accessKeyId": key, "sessionContext": context}, who.account, who.ip, who.agent)


def azure_user(g: Ground, when: datetime, person: Employee, app: str, ip: str, role: str, **sign_in: object) -> AzureCaller:
    """A person signs in to Azure Resource Manager."""
    given: Record = {"location": location(person.place), "asn": network(ip), **sign_in}
    entry = g.directory.user(when, person, app, ip, **given)
    return AzureCaller(person.oid, person.upn, APPS[app][0], "user", role, ip, entry.record["properties"]["id"])


def azure_principal(
    g: Ground, when: datetime, who: ServicePrincipal, ip: str, role: str = "Contributor", *, place: int = 2, federated: str = ""
) -> AzureCaller:
    """A service principal signs in, by its secret or by a federated credential."""
    entry = g.directory.principal(when, who, ip, location(place), federated=federated, asn=network(ip))
    return AzureCaller(who.oid, who.name, who.app_id, "app", role, ip, entry.record["properties"]["id"])


def azure_identity(g: Ground, when: datetime, who: ManagedIdentity, role: str = "Contributor", *, ip: str = "", federated: str = "") -> AzureCaller:
    """A managed identity signs in; from outside when by a federated credential."""
    entry = g.directory.managed_identity(when, who.oid, who.name, app_id=who.app_id, federated=federated, ip=ip)
    return AzureCaller(who.oid, who.name, who.app_id, "app", role, ip or g.company.egress["azure"], entry.record["properties"]["id"])


def gcp_account(company: Company, account: ServiceAccount, ip: str, agent: str, *, keyed: bool = False) -> GcpCaller:
    """A service account at home, or used by its key."""
    return GcpCaller(account.email, ip, agent, key=key_name(account.email, account.key, company.project) if keyed else "")


def exchange(g: Ground, when: datetime, external: str, pool: str, subject: str, ip: str, agent: str) -> GcpCaller:
    """A workload from elsewhere exchanges its token: ``external`` is who it was, the caller who it is in the pool."""
    base = f"//iam.googleapis.com/projects/{g.company.project_number}/locations/global/workloadIdentityPools/{pool}"
    mapped = f"principal:{base}/subject/{subject}"
    metadata = {
        "@type": "type.googleapis.com/google.identity.sts.v1.AuditData",
        "mapped_principal": mapped,
        "mappedAttributes": {"google.subject": subject},
        "keyInfo": [{"use": "verify", "fingerprint": ids.hexes(g.gcp.rng, 40)}],
    }
    name = f"{base.removeprefix('//iam.googleapis.com/')}/providers/{pool}-provider"
    request = {
        "@type": "type.googleapis.com/google.identity.sts.v1.ExchangeTokenRequest",
        "audience": f"//iam.googleapis.com/{name}",
        "grantType": "urn:ietf:params:oauth:grant-type:token-exchange",
        "requestedTokenType": "urn:ietf:params:oauth:token-type:access_token",
    }
    target = Target(name, "sts.identityProviders.checkLogging", "audited_resource", (("service", "sts.googleapis.com"), ("method", STS)))
    g.gcp.call(when, GcpCaller("", ip, agent, federated=external), "sts", STS, target, log="data_access", request=request, metadata=metadata)
    return GcpCaller("", ip, agent, federated=mapped)


def impersonate(
    g: Ground, when: datetime, who: GcpCaller, account: ServiceAccount, *, method: str = "GenerateAccessToken", audience: str = ""
) -> GcpCaller:
    """A token of ``account`` for somebody who may make one; later calls name who is behind it."""
    labels = (("email_id", account.email), ("unique_id", account.uid))
    permission = "getAccessToken" if method == "GenerateAccessToken" else "getOpenIdToken"
    target = Target(f"projects/-/serviceAccounts/{account.uid}", f"iam.serviceAccounts.{permission}", "service_account", labels)
    request: Record = {
        "@type": f"type.googleapis.com/google.iam.credentials.v1.{method}Request",
        "name": f"projects/-/serviceAccounts/{account.email}",
    }
    request |= {"audience": audience, "includeEmail": True} if audience else {"scope": ["https://www.googleapis.com/auth/cloud-platform"]}
    g.gcp.call(when, who, "iamcredentials", method, target, log="data_access", request=request)
    return GcpCaller(account.email, who.ip, who.agent, delegation=(who.email or who.federated,))


def github_subject(repository: str, rng: random.Random, *, main: bool = True) -> str:
    """The subject of a workflow's token."""
    return f"repo:{repository}:" + ("ref:refs/heads/main" if main else f"ref:refs/heads/fix-{rng.randrange(10, 999)}")
