package checks

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	apps "k8s.io/api/apps/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	networking "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
)

const chartFolder = root + "/deploy/helm/coffee-rt"

// manifest is one object that the chart makes.
type manifest struct {
	kind, name string
	object     runtime.Object
}

// values are those of a file of the chart, with others over them, written as YAML. Those about Flink are for on top of v3's.
func values(t *testing.T, file, more string) map[string]any {
	t.Helper()
	all, err := common.ReadValues([]byte(more))
	if err != nil {
		t.Fatal(err)
	}
	files := []string{file}
	if strings.HasPrefix(file, "values-flink") {
		files = append(files, "values-v3.yaml")
	}
	for _, file := range files {
		under, err := common.ReadValuesFile(filepath.Join(chartFolder, file))
		if err != nil {
			t.Fatal(err)
		}
		all = util.CoalesceTables(all, under)
	}
	return all
}

// render makes the chart's objects, as Helm does, and reads each as Kubernetes would, refusing fields that it does not know.
func render(t *testing.T, values map[string]any) ([]manifest, error) {
	t.Helper()
	chart, err := loader.LoadDir(chartFolder)
	if err != nil {
		t.Fatal(err)
	}
	if err := chart.Validate(); err != nil {
		t.Fatal(err)
	}
	release := common.ReleaseOptions{Name: "cafe", Namespace: "shops", Revision: 1, IsInstall: true}
	all, err := util.ToRenderValues(chart, values, release, nil)
	if err != nil {
		return nil, err
	}
	files, err := engine.Render(chart, all)
	if err != nil {
		return nil, err
	}
	var made []manifest
	for _, path := range slices.Sorted(maps.Keys(files)) {
		if strings.HasSuffix(path, ".txt") || strings.HasPrefix(filepath.Base(path), "_") {
			continue
		}
		made = append(made, objects(t, path, files[path])...)
	}
	return made, nil
}

func objects(t *testing.T, path, text string) []manifest {
	t.Helper()
	known := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{scheme.AddToScheme, monitoring.AddToScheme, addFlinkToScheme} {
		if err := add(known); err != nil {
			t.Fatal(err)
		}
	}
	decoder := serializer.NewCodecFactory(known, serializer.EnableStrict).UniversalDeserializer()
	reader := yaml.NewYAMLReader(bufio.NewReader(strings.NewReader(text)))
	var made []manifest
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return made
		}
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if len(bytes.TrimSpace(document)) == 0 {
			continue
		}
		object, kind, err := decoder.Decode(document, nil, nil)
		if err != nil {
			t.Fatalf("%s: %v\n%s", path, err, document)
		}
		about, err := meta.Accessor(object)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		made = append(made, manifest{kind: kind.Kind, name: about.GetName(), object: object})
	}
}

func kinds(made []manifest) []string {
	var kinds []string
	for _, one := range made {
		kinds = append(kinds, one.kind)
	}
	slices.Sort(kinds)
	return slices.Compact(kinds)
}

func TestEachFileOfValuesIsRendered(t *testing.T) {
	for file, needed := range map[string][]string{
		"values.yaml":          {"Service", "StatefulSet"},
		"values-embedded.yaml": {"Service", "StatefulSet"},
		"values-v1.yaml":       {"Deployment", "Job", "PodDisruptionBudget", "Service"},
		"values-v2.yaml":       {"Deployment", "Job", "PodDisruptionBudget", "Service"},
		"values-v3.yaml":       {"Deployment", "Job", "PodDisruptionBudget", "Service"},
		"values-flink.yaml":    {"Deployment", "Job", "PodDisruptionBudget", "Service"},

		"values-flink-operator.yaml": {"Deployment", "FlinkDeployment", "Job", "PodDisruptionBudget", "Service"},
	} {
		made, err := render(t, values(t, file, everything(file)))
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		for _, kind := range needed {
			if !slices.Contains(kinds(made), kind) {
				t.Errorf("%s makes no %s, only %v", file, kind, kinds(made))
			}
		}
		if needsServices(file) {
			for _, kind := range []string{"HorizontalPodAutoscaler", "Ingress", "NetworkPolicy", "PrometheusRule", "ServiceMonitor"} {
				if !slices.Contains(kinds(made), kind) {
					t.Errorf("%s with everything makes no %s, only %v", file, kind, kinds(made))
				}
			}
		}
	}
}

// needsServices is about files whose nodes are not alone with an embedded database.
func needsServices(file string) bool {
	return strings.HasPrefix(file, "values-v") || strings.HasPrefix(file, "values-flink")
}

// everything that can be turned on with a file.
func everything(file string) string {
	if !needsServices(file) {
		return "{}"
	}
	return `
autoscaling: {enabled: true}
ingress: {enabled: true, hosts: [coffee.example.com]}
networkPolicy: {enabled: true}
traces: {endpoint: "http://collector:4318"}
metrics: {serviceMonitor: {enabled: true}, rules: {enabled: true}}
loadTest: {enabled: true}
`
}

func TestBadValuesAreRefusedByName(t *testing.T) {
	for more, why := range map[string]string{
		"replicas: -1":                        "replicas",
		"replicas: many":                      "replicas",
		"replica: 3":                          "replica",
		"versions: [v4]":                      "versions",
		"log: {format: xml}":                  "format",
		"versions: [v2]":                      "redis",
		"versions: [v3]":                      "kafka",
		"terminationGracePeriodSeconds: 5":    "terminationGracePeriodSeconds",
		"settings: {COFFEE_RT_LISTEN: \"x\"}": "COFFEE_RT_LISTEN",
		"postgres: {url: \"mysql://x/y\", existingSecret: \"\"}":         "postgres",
		"postgres: {url: \"postgres://a/b\", existingSecret: \"there\"}": "existingSecret",
		"ingress: {enabled: true, hosts: []}":                            "hosts",
		"autoscaling: {enabled: true, minReplicas: 5, maxReplicas: 2}":   "eplicas",
		"leaveMs: -1":                            "leaveMs",
		"traces: {endpoint: \"collector:4318\"}": "endpoint",
	} {
		_, err := render(t, values(t, "values-v1.yaml", more))
		if err == nil {
			t.Errorf("%s is not refused", more)
		} else if !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v does not name %s", more, err, why)
		}
	}
	if _, err := render(t, values(t, "values-embedded.yaml", "replicas: 2")); err == nil {
		t.Error("two nodes with an embedded database are not refused")
	}
}

func TestTheCollectorOfTracesCanBeReached(t *testing.T) {
	for endpoint, port := range map[string]int32{"http://collector:4318": 4318, "http://collector/otlp/": 80} {
		more := fmt.Sprintf("networkPolicy: {enabled: true}\ntraces: {endpoint: %q}", endpoint)
		policy := the[*networking.NetworkPolicy](t, rendered(t, "values-v1.yaml", more), "").Spec
		if !slices.ContainsFunc(policy.Egress, func(rule networking.NetworkPolicyEgressRule) bool { return opens(rule, port) }) {
			t.Errorf("%s: %v", endpoint, policy.Egress)
		}
	}
}

func opens(rule networking.NetworkPolicyEgressRule, port int32) bool {
	return slices.ContainsFunc(rule.Ports, func(open networking.NetworkPolicyPort) bool { return open.Port.IntVal == port })
}

// The deployment's answer to load asks for what a node exports: the story of a real scrape holds the name against it.
func TestScalingByLagAsksForTheMetricOfItsVersions(t *testing.T) {
	made, err := render(t, values(t, "values-v2.yaml", "autoscaling: {enabled: true, metric: lag}"))
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range made {
		if scaler, is := one.object.(*autoscaling.HorizontalPodAutoscaler); is {
			metric := scaler.Spec.Metrics[0].External.Metric
			if metric.Name != "coffee_rt_log_lag_orders" || metric.Selector.MatchLabels["version"] != "v2" {
				t.Errorf("it scales by %+v", metric)
			}
			return
		}
	}
	t.Errorf("there is no scaler, only %v", kinds(made))
}

// Rollouts lose nothing: see scenarios/rollout.toml for the same with native nodes.
func TestARolloutWaitsForEachNode(t *testing.T) {
	made, err := render(t, values(t, "values-v1.yaml", ""))
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range made {
		deployment, is := one.object.(*apps.Deployment)
		if !is {
			continue
		}
		rolling, pod := deployment.Spec.Strategy.RollingUpdate, deployment.Spec.Template.Spec
		if rolling.MaxUnavailable.IntValue() != 0 || rolling.MaxSurge.IntValue() != 1 {
			t.Errorf("a node leaves before another one is there: %+v", rolling)
		}
		// Leaving, open requests, actors.
		if needed := int64(5 + 15 + 20); *pod.TerminationGracePeriodSeconds <= needed {
			t.Errorf("a node may take %d s to end, and is killed after %d", needed, *pod.TerminationGracePeriodSeconds)
		}
		node := pod.Containers[0]
		if !*node.SecurityContext.ReadOnlyRootFilesystem || !*pod.SecurityContext.RunAsNonRoot {
			t.Error("a node may write, or is root")
		}
		if node.ReadinessProbe.HTTPGet.Path != "/readyz" || node.LivenessProbe.HTTPGet.Path != "/livez" {
			t.Errorf("the probes ask for %+v and %+v", node.ReadinessProbe.HTTPGet, node.LivenessProbe.HTTPGet)
		}
		return
	}
	t.Errorf("there is no deployment, only %v", kinds(made))
}
