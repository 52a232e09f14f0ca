"""Who uses models: people by the gateway, applications in three clouds, an agent with tools, batch jobs that are throttled."""

from __future__ import annotations

from engine.simulate import chains, lexicon, texts
from engine.simulate.company import ServiceAccount
from engine.simulate.native import bedrock, ids, writer
from engine.simulate.native.actors import SDK, Role
from engine.simulate.native.aws import AwsCaller, service
from engine.simulate.native.entries import Record
from engine.simulate.native.gcp import GcpCaller
from engine.simulate.native.litellm import VirtualKey
from engine.simulate.personas.scene import Scene

THROTTLED = ("ThrottlingException", "Too many requests, please wait before trying again.")
INVALID = ("ValidationException", "The provided model identifier is invalid.")
GENAI = "google-genai-sdk/1.5.0 gl-python/3.12.9"


class Models:
    """About a fifth of the roles, and everybody with a gateway key."""

    def __init__(self, scene: Scene) -> None:
        company, rng = scene.company, scene.rng
        self.roles = [role for number, role in enumerate(company.tasks) if number % 5 == 2]
        self.favourite = {role.uid: rng.choice(company.models) for role in self.roles}
        self.accounts: list[ServiceAccount] = [account for number, account in enumerate(company.service_accounts) if number % 6 == 1]
        self.keyed = [user for number, user in enumerate(company.users) if number % 9 == 4]
        self.batch = VirtualKey(ids.hexes(rng, 64), "nightly", "svc-nightly", "team-batch")
        self.guardrail: Record = {"id": ids.letters(rng, 12, "abcdefghijklmnopqrstuvwxyz0123456789")}

    def live(self, scene: Scene) -> None:
        load = scene.service_load()
        for number, role in enumerate(self.roles):
            self._application(scene, role, scene.count((2 + 5 * (number % 3)) * load), scene.company.regions[number % 2])
        self._gateway(scene)
        self._azure(scene, load)
        for account in self.accounts:
            who = GcpCaller(account.email, scene.company.egress["gcp"], GENAI)
            for _ in range(scene.count(3 * load)):
                code = 8 if scene.rng.random() < 0.02 else 0
                scene.ground.generate(scene.at(), who, scene.rng.choice(lexicon.GEMINI_MODELS[:2]), *texts.caption(scene.rng), code=code)
        self._agent(scene, load)
        self._keyed(scene)

    def _session(self, scene: Scene, role: Role, region: str) -> AwsCaller:
        host, ip = "ecs-tasks.amazonaws.com", scene.company.egress[role.account]
        caller = service(host, role.account)
        who, _ = scene.ground.trail.assume(scene.at(0, 60), caller, role, ids.hexes(scene.rng, 32), region=region, ip=ip, agent=SDK)
        return who

    def _application(self, scene: Scene, role: Role, times: int, region: str) -> None:
        if not times:
            return
        rng, model = scene.rng, self.favourite[role.uid]
        who = self._session(scene, role, region)
        for _ in range(times):
            prompt, answer = texts.task(rng) if rng.random() < 0.5 else texts.ticket(rng)
            if model.startswith("anthropic") and rng.random() < 0.6:
                call = bedrock.claude(model, prompt, answer, f"msg_bdrk_{ids.letters(rng, 20)}", stream=rng.random() < 0.3)
            else:
                call = bedrock.converse(model, prompt, answer, latency=rng.randrange(300, 4000))
            error = THROTTLED if rng.random() < 0.02 else INVALID if rng.random() < 0.004 else None
            when = scene.at(70, 3500)
            guarded = self.guardrail if rng.random() < 0.3 else None
            scene.ground.converse(when, who, call, region=region, error=error, guardrail=guarded)
            if error is THROTTLED:
                scene.ground.converse(ids.later(when, rng, 1, 5), who, call, region=region)

    def _gateway(self, scene: Scene) -> None:
        rng, company, gateway = scene.rng, scene.company, scene.ground.litellm
        for person in company.people:
            for _ in range(scene.count(0.25 * scene.office_load(person.zone))):
                provider, model = rng.choice((("bedrock", company.models[0]), ("azure", "gpt-4o-mini"), ("vertex_ai", lexicon.GEMINI_MODELS[0])))
                key = VirtualKey(person.litellm_hash, person.name, person.upn, f"team-{person.job}")
                prompt, answer = texts.task(rng)
                if rng.random() < 0.003:
                    prompt, answer = texts.AWARENESS
                messages = [{"role": "system", "content": texts.SYSTEM}, {"role": "user", "content": prompt}]
                error = rng.choice((("429", "RateLimitError"), ("408", "Timeout"))) if rng.random() < 0.03 else None
                ip = scene.address(person)
                gateway.completion(scene.at(), key, ip, provider, model, messages, answer, latency=round(rng.uniform(0.4, 6), 3), error=error)
        if scene.hour.hour in (1, 2, 3):
            for _ in range(scene.count(20)):
                prompt, answer = texts.caption(rng)
                error = ("429", "RateLimitError") if rng.random() < 0.1 else None
                ip = company.egress[company.accounts[0]]
                gateway.completion(scene.at(), self.batch, ip, "azure", "gpt-4o-mini", [{"role": "user", "content": prompt}], answer, error=error)

    def _azure(self, scene: Scene, load: float) -> None:
        rng, company, log = scene.rng, scene.company, scene.ground.openai
        for _ in range(scene.count(14 * load)):
            oid = company.identities[rng.randrange(4)].oid
            deployment = rng.choice(("gpt-4o-mini", "gpt-4o-mini", "gpt-4o"))
            status = rng.choice((429, 429, 400)) if rng.random() < 0.03 else 200
            resource = rng.choice(company.openai)
            log.request(
                scene.at(),
                company.egress["azure"],
                oid,
                resource=resource,
                status=status,
                length=int(rng.lognormvariate(7.2, 0.9)),
                deployment=deployment,
            )
        for _ in range(scene.count(4 * load)):
            prompt, answer = texts.task(rng)
            messages = [{"role": "system", "content": texts.SYSTEM}, {"role": "user", "content": prompt}]
            log.gateway(scene.at(), company.egress[company.accounts[0]], messages, answer, subscription="shop-search", jailbreak=rng.random() < 0.002)

    def _agent(self, scene: Scene, load: float) -> None:
        rng, company = scene.rng, scene.company
        times = scene.count(4 * load)
        if not times:
            return
        account, region = company.accounts[0], company.regions[0]
        role = company.role(account, "agent")
        issuer = f"oidc.eks.{region}.amazonaws.com/id/AGENTS0123456789ABCDEF0123456789"
        subject, name = "system:serviceaccount:agents:assistant", f"botocore-session-{int(scene.hour.timestamp())}"
        who = chains.web_identity(
            scene.ground, scene.at(0, 60), role, issuer, "sts.amazonaws.com", subject, name, company.egress["pods"], SDK, region=region
        )
        for _ in range(times):
            prompt, answer = texts.task(rng)
            number = rng.randrange(10_000, 99_999)
            found = writer.text({"order": number, "state": "sent", "place": rng.choice(texts.PLACES)})
            tools: list[tuple[str, Record, str]] = [("lookup_order", {"order": number}, found)] * rng.randrange(0, 3)
            question = f"Question about order {number}: {prompt}"
            scene.ground.agent_run(scene.at(70, 3400), who, company.models[1], question, answer, tools, region)

    def _keyed(self, scene: Scene) -> None:
        """Programs that call models by a long-lived key: bad habit, no attack."""
        rng, company = scene.rng, scene.company
        for user in self.keyed:
            who = chains.keyed(user, company.egress[user.account], SDK)
            for _ in range(scene.count(0.5 * scene.service_load())):
                call = bedrock.converse(company.models[0], *texts.caption(rng))
                scene.ground.converse(scene.at(), who, call, region=company.regions[0])
