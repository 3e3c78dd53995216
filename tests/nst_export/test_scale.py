"""The files of docs/scale.md, held to schemas and to what the program has."""

import dataclasses
import json
import re
import subprocess
from pathlib import Path

import httpx
import jsonschema
import pytest
import yaml

from nst_export.commands import stylize
from nst_export.server.settings import ServeSettings
from scripts import cost
from tests.helpers import ROOT
from tests.serving import serving

FOLDER = ROOT / "docs" / "scale"
APPS = ROOT / "export" / "apps"
PAGE = (ROOT / "docs" / "scale.md").read_text()
OTHERS = ("prometheus-adapter.yaml", "ray-cluster.yaml")
"""YAML that is no manifest of Kubernetes."""
MANIFESTS = sorted(
    path.name for path in FOLDER.glob("*.yaml") if path.name not in OTHERS
)
KSERVE = "serving.kserve.io/v1beta1"


def documents(name):
    return list(yaml.safe_load_all((FOLDER / name).read_text()))


def kinds(name):
    return {(each["kind"], each["metadata"]["name"]): each for each in documents(name)}


def container(deployment):
    (found,) = deployment["spec"]["template"]["spec"]["containers"]
    return found


@pytest.mark.parametrize("name", MANIFESTS)
def test_manifests_keep_the_schemas_of_kubernetes(name):
    validate = pytest.importorskip("kubernetes_validate")
    for document in documents(name):
        if document["apiVersion"] == KSERVE:  # Its predictor is a pod by another name.
            pod = document["spec"]["predictor"]
            containers = [{"name": "x", "image": "x", **each} for each in (
                pod.get("containers") or [{"resources": pod["model"]["resources"]}]
            )]  # fmt: skip
            document = {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": document["metadata"],
                "spec": {"containers": containers},
            }
        validate.validate(document, validate.latest_version(), strict=True)


@pytest.mark.parametrize("name", MANIFESTS)
def test_services_reach_the_pods_of_their_deployments(name):
    found = kinds(name)
    for (kind, called), one in found.items():
        if kind != "Service":
            continue
        deployment = found["Deployment", called]
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        assert one["spec"]["selector"].items() <= labels.items()
        assert deployment["spec"]["selector"]["matchLabels"] == one["spec"]["selector"]
        ports = {port["name"] for port in container(deployment)["ports"]}
        assert {port["targetPort"] for port in one["spec"]["ports"]} <= ports
        mounts = {
            each["name"] for each in container(deployment).get("volumeMounts", ())
        }
        volumes = deployment["spec"]["template"]["spec"].get("volumes", ())
        assert {each["name"] for each in volumes} == mounts


def test_the_autoscaler_follows_what_nst_serve_exports(tmp_path):
    found = kinds("nst-serve.yaml")
    serve = container(found["Deployment", "nst-serve"])
    scaler = found["HorizontalPodAutoscaler", "nst-serve"]["spec"]
    (metric,) = (each["pods"] for each in scaler["metrics"])
    workers = serve["args"][serve["args"].index("--workers") + 1]
    assert metric["target"]["averageValue"] == workers
    name = metric["metric"]["name"]
    (rule,) = documents("prometheus-adapter.yaml")[0]["rules"]["custom"]
    assert rule["seriesQuery"].startswith(f"{name}{{")
    assert rule["name"]["matches"] == name
    annotations = found["Deployment", "nst-serve"]["spec"]["template"]["metadata"]
    scraped = annotations["annotations"]["prometheus.io/path"]
    with serving(tmp_path, *serve["args"], "--port", "0") as (_, address):
        text = httpx.get(f"{address}{scraped}").text
        for shown in {name, *re.findall(r"`(nst_\w+)`", PAGE)}:
            assert re.search(rf"^# TYPE {shown} ", text, re.M), shown
        for probe in ("readinessProbe", "livenessProbe"):
            path = serve[probe]["httpGet"]["path"]
            assert httpx.get(f"{address}{path}").status_code == 200


def test_nst_serve_has_time_room_and_the_port_of_its_image():
    found = kinds("nst-serve.yaml")["Deployment", "nst-serve"]
    serve = container(found)
    docker = (APPS / "nst_serve" / "Dockerfile").read_text()
    port = re.search(r"^EXPOSE (\d+)", docker, re.M)[1]
    assert {str(each["containerPort"]) for each in serve["ports"]} == {port}
    pod = found["spec"]["template"]["spec"]
    assert f"--uid {pod['securityContext']['runAsUser']} " in docker
    deadline = float(serve["args"][serve["args"].index("--deadline") + 1])
    assert pod["terminationGracePeriodSeconds"] > deadline
    flags = {f"--{each.name}" for each in dataclasses.fields(ServeSettings)}
    assert set(serve["args"][::2]) <= flags
    (probe, plain) = documents("kserve.yaml")
    (one,) = plain["spec"]["predictor"]["containers"]
    assert set(one["args"][::2]) <= flags
    assert [str(each["containerPort"]) for each in one["ports"]] == [port]
    assert one["readinessProbe"]["httpGet"] == {
        "path": serve["readinessProbe"]["httpGet"]["path"], "port": int(port)
    }  # fmt: skip
    assert probe["spec"]["predictor"]["model"]["modelFormat"] == {"name": "triton"}
    for one in (probe, plain):
        assert one["kind"] == "InferenceService"
        assert one["spec"]["predictor"]["minReplicas"] >= 1


def compose(name):
    (service,) = yaml.safe_load((APPS / name / "compose.yaml").read_text())[
        "services"
    ].values()
    return service


def test_other_servers_serve_what_the_samples_do():
    triton = container(kinds("triton.yaml")["Deployment", "triton"])
    assert triton["image"] == compose("triton")["image"]
    assert " ".join(triton["args"]) == compose("triton")["command"]
    tensorflow = container(
        kinds("tensorflow-serving.yaml")["Deployment", "tensorflow-serving"]
    )
    sample = compose("tensorflow_serving")
    assert tensorflow["image"] == sample["image"]
    (name,) = (each["value"] for each in tensorflow["env"])
    assert sample["environment"]["MODEL_NAME"] == f"${{NAME:-{name}}}"
    assert tensorflow["readinessProbe"]["httpGet"]["path"] == f"/v1/models/{name}"
    assert tensorflow["volumeMounts"][0]["mountPath"] == "/models"
    found = kinds("openvino-model-server.yaml")
    openvino = container(found["Deployment", "openvino-model-server"])
    sample = compose("openvino_model_server")
    assert openvino["image"] == sample["image"]
    assert openvino["args"][0::2] == sample["command"].split()[0::2]
    text = found["ConfigMap", "openvino-model-server"]["data"]["config.json"]
    mine, theirs = (
        json.loads(one)["model_config_list"][0]["config"]
        for one in (text, (APPS / "openvino_model_server/config.json").read_text())
    )
    assert {**mine, "plugin_config": 0} == {**theirs, "plugin_config": 0}


def test_the_ray_cluster_keeps_rays_schema_and_version():
    import ray

    schema = Path(ray.__file__).parent / "autoscaler" / "ray-schema.json"
    (cluster,) = documents("ray-cluster.yaml")
    jsonschema.validate(cluster, json.loads(schema.read_text()))
    assert cluster["head_node_type"] in cluster["available_node_types"]
    constraints = (ROOT / "constraints.txt").read_text()
    version = re.search(r"^ray==(\S+)", constraints, re.M)[1]
    assert f":{version}-py" in cluster["docker"]["image"]
    most = cluster["available_node_types"]["painter"]["max_workers"]
    assert most <= cluster["max_workers"]


@pytest.mark.parametrize("name", ["train.slurm", "stylize.slurm"])
def test_slurm_scripts_are_sound(name):
    path = FOLDER / name
    subprocess.run(["bash", "-n", path], check=True)
    options = re.findall(r"^#SBATCH --([a-z-]+)", path.read_text(), re.M)
    assert {"job-name", "nodes", "ntasks-per-node", "time", "requeue"} <= set(options)
    assert set(options) <= {
        *("job-name", "nodes", "ntasks-per-node", "gpus-per-node", "cpus-per-task"),
        *("time", "requeue", "open-mode"),
    }


def test_commands_of_the_page_and_its_files_have_flags_that_there_are():
    flags = {f"--{each.name}" for each in dataclasses.fields(stylize.Job)} | {"-o"}
    texts = [PAGE, *(path.read_text() for path in FOLDER.iterdir())]
    lines = re.findall(r"nst stylize (s3:|photos/|\"\$)([^#'\n]*(?:\\\n[^#'\n]*)*)",
                       "\n".join(texts))  # fmt: skip
    assert len(lines) >= 7
    for _, words in lines:
        given = set(re.findall(r"(?<!\S)--?[a-z-]+", words))
        assert given <= flags, words


def test_links_lead_to_files():
    for target in re.findall(r"\]\(([^)#]+)", PAGE):
        assert (ROOT / "docs" / target).exists(), target
    for path in FOLDER.iterdir():
        assert f"(scale/{path.name})" in PAGE


def test_the_table_of_cost_is_what_the_script_prints():
    assert cost.table(cost.Assumptions()) in PAGE


def test_the_model_of_cost_adds_up():
    a = cost.Assumptions()
    # VGG-19's convolutions are 19.5e9 products at 224x224, those behind the first of
    # block 5 3 x 9 x 512 x 512 x 14 x 14 of them.
    vgg = (19.5e9 - 3 * 9 * 512**2 * 14**2) * (256 / 224) ** 2
    network = 2 * 1.674e6 * 64**2 / 1e9  # Were all its weights at a quarter.
    assert cost.network_gflops(1, 256, 256) > network
    expected = 6 * vgg / 1e9 + 3 * cost.network_gflops(1, 256, 256)
    assert cost.step_gflops(1, 256) == pytest.approx(expected, rel=0.01)
    assert a.train_gflops == pytest.approx(cost.step_gflops(1, 256), rel=0.01)
    assert a.paint_gflops == pytest.approx(cost.network_gflops(0.5, 384, 512), rel=0.01)
    assert cost.efficiency(a, 1) == 1 > cost.efficiency(a, 8) > cost.efficiency(a, 64)
    slow = dataclasses.replace(a, codec_seconds=1.0)
    assert cost.gpu_rate(slow) == a.cores_a_gpu
    twice = dataclasses.replace(a, core_price=2 * a.core_price)
    prices = [
        [line for line in cost.painting(one) if "1 G pictures, USD to compute" in line]
        for one in (a, twice)
    ]
    first, second = (float(line[0].split("|")[2].replace(",", "")) for line in prices)
    hours = 1e9 * a.core_seconds / a.bulk_efficiency / 3600
    assert first == pytest.approx(hours * a.core_price, rel=1e-3)
    assert second == pytest.approx(2 * first, rel=1e-3)
