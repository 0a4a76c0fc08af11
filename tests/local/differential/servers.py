"""One control plane of the two: sends calls, waits for its background, cleans up."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.local.differential.answers import Answer, Ranks
from tests.local.differential.calls import MERGE_PATCH, Call, Kind, Memory
from tests.local.differential.generate import CONFIGMAPS, EVERY_KIND, SPROCKETS
from tests.local.plane import http
from tests.local.scratch import sprocket

SETTLE_SECONDS = 15.0
_KEPT = frozenset(("kube-root-ca.crt", "default"))
"""What every namespace has by itself."""


class Server:
    """A control plane and what it answered in the current sequence."""

    def __init__(self, name: str, kubeconfig: Path, namespace: str) -> None:
        self.name = name
        self.namespace = namespace
        self.memory = Memory()
        self.ranks = Ranks()
        self._http: httpx.Client = http(kubeconfig)

    def close(self) -> None:
        self._http.close()

    def begin(self) -> None:
        self.memory, self.ranks = Memory(), Ranks()

    def send(self, call: Call) -> Answer:
        """The raw answer; what it shows is remembered for later calls."""
        content = call.content(self.namespace, self.memory)
        headers = {"Accept": call.accept, "User-Agent": "differential/1"}
        if content is not None:
            headers["Content-Type"] = call.content_type
        response = self._http.request(
            call.method, call.url(self.namespace, self.memory), content=content, headers=headers
        )
        body = _events(response) if call.watches and response.status_code == 200 else _decoded(response)
        self.memory.learn(call.kind, body)
        warnings = tuple(response.headers.get_list("Warning"))
        media_type = response.headers.get("Content-Type", "").partition(";")[0]
        return Answer(response.status_code, media_type, warnings, body)

    def objects(self) -> dict[str, Any]:
        """Everything that the sequence has left, by `plural/name`."""
        found: dict[str, Any] = {}
        for kind in EVERY_KIND:
            listed = self._json("GET", kind.collection(self.namespace))
            for item in listed["items"]:
                name = item["metadata"]["name"]
                if item.get("type") == "kubernetes.io/service-account-token":
                    continue  # an old core makes one for each ServiceAccount
                if name not in _KEPT and (
                    kind.namespaced or "sequence" in item["metadata"].get("labels", {})
                ):
                    found[f"{kind.plural}/{name}"] = item
        return found

    def prepare(self, crds: Iterable[dict[str, Any]]) -> None:
        """Install the scratch kinds and make the namespace."""
        for crd in crds:
            name = crd["metadata"]["name"]
            path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}"
            parameters = {"fieldManager": "tests", "force": "true"}
            applied = self._http.patch(
                path, params=parameters, content=yaml.safe_dump(crd),
                headers={"Content-Type": "application/apply-patch+yaml"},
            )  # fmt: skip
            assert applied.status_code in (200, 201), applied.text
        metadata = {"name": self.namespace, "labels": {"nxc.dev/scratch": "run"}}  # keeps the scratch kinds
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
        made = self._http.post("/api/v1/namespaces", json=body)
        assert made.status_code in (201, 409), made.text
        end = time.monotonic() + 30
        for kind in EVERY_KIND:
            while self._http.get(kind.collection(self.namespace)).status_code != 200:
                assert time.monotonic() < end, f"{self.name} does not serve {kind.plural}"
                time.sleep(0.1)
        while not (self._settled("v1.test.nxc.dev") and all(self._warns() for _ in range(5))):
            assert time.monotonic() < end, f"{self.name} does not hand over the scratch kinds"
            time.sleep(0.2)
        while self._http.get(f"{CONFIGMAPS.collection(self.namespace)}/kube-root-ca.crt").status_code != 200:
            if time.monotonic() > end:
                break  # a server without it is fine
            time.sleep(0.1)

    def _settled(self, group_version: str) -> bool:
        """Whether custom resources are served by who serves CRDs (see tests.local.kubectl.serving)."""
        found = []
        for name in ("v1.apiextensions.k8s.io", group_version):
            response = self._http.get(f"/apis/apiregistration.k8s.io/v1/apiservices/{name}")
            if response.status_code != 200:
                return not found  # no aggregation here; or no APIService for the new group yet
            api = response.json()
            conditions = {c["type"]: c["status"] for c in api.get("status", {}).get("conditions", [])}
            found.append((api["spec"].get("service"), conditions.get("Available")))
        return found[0] == found[1]

    def _warns(self) -> bool:
        """Whether unknown fields are warned of, as by the server that is to serve custom resources."""
        body = sprocket("probe", unknown=1)
        answer = self._http.post(SPROCKETS.collection(self.namespace), params={"dryRun": "All"}, json=body)
        return answer.status_code == 201 and "Warning" in answer.headers

    def clear(self) -> None:
        """Leave nothing for the next sequence."""
        end = time.monotonic() + SETTLE_SECONDS
        while left := self.objects():
            assert time.monotonic() < end, f"{self.name} does not let go of {sorted(left)}"
            for key, obj in left.items():
                path = f"{_kind(key).collection(self.namespace)}/{obj['metadata']['name']}"
                if obj["metadata"].get("finalizers"):
                    self._http.patch(
                        path, json={"metadata": {"finalizers": None}}, headers={"Content-Type": MERGE_PATCH}
                    )
                self._http.delete(path)

    def remove_namespace(self) -> None:
        self._http.delete(f"/api/v1/namespaces/{self.namespace}")

    def _json(self, method: str, path: str) -> dict[str, Any]:
        answer = self._http.request(method, path)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


def _kind(key: str) -> Kind:
    plural = key.partition("/")[0]
    return next(kind for kind in EVERY_KIND if kind.plural == plural)


def _events(response: httpx.Response) -> Any:
    """What a watch told, as one document."""
    return {"kind": "Watch", "events": [json.loads(line) for line in response.text.splitlines() if line]}


def _decoded(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return response.text
