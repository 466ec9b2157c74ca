package checks

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	apps "k8s.io/api/apps/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"
)

// flinkDeployment is as much of the operator's object as the chart uses: what is not here is refused.
type flinkDeployment struct {
	meta.TypeMeta   `json:",inline"`
	meta.ObjectMeta `json:"metadata"`
	Spec            struct {
		Image              string            `json:"image"`
		ImagePullPolicy    core.PullPolicy   `json:"imagePullPolicy"`
		FlinkVersion       string            `json:"flinkVersion"`
		Mode               string            `json:"mode"`
		ServiceAccount     string            `json:"serviceAccount"`
		FlinkConfiguration map[string]string `json:"flinkConfiguration"`
		JobManager         struct {
			Replicas int           `json:"replicas"`
			Resource flinkResource `json:"resource"`
		} `json:"jobManager"`
		TaskManager struct {
			Resource flinkResource `json:"resource"`
		} `json:"taskManager"`
		PodTemplate core.PodTemplateSpec `json:"podTemplate"`
	} `json:"spec"`
}

type flinkResource struct {
	CPU    float64 `json:"cpu"`
	Memory string  `json:"memory"`
}

// Nobody changes it here.
func (cluster *flinkDeployment) DeepCopyObject() runtime.Object { return cluster }

func addFlinkToScheme(known *runtime.Scheme) error {
	kind := schema.GroupVersionKind{Group: "flink.apache.org", Version: "v1beta1", Kind: "FlinkDeployment"}
	known.AddKnownTypeWithName(kind, &flinkDeployment{})
	return nil
}

// the first object of a type, and by a name's end where that is given.
func the[T runtime.Object](t *testing.T, made []manifest, end string) T {
	t.Helper()
	for _, one := range made {
		if object, is := one.object.(T); is && strings.HasSuffix(one.name, end) {
			return object
		}
	}
	var none T
	t.Fatalf("there is no %T …%s, only %v", none, end, kinds(made))
	return none
}

func rendered(t *testing.T, file, more string) []manifest {
	t.Helper()
	made, err := render(t, values(t, file, more))
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func TestNodesAreToldWhereFlinkIs(t *testing.T) {
	for file, wanted := range map[string][2]string{
		"values-flink.yaml":          {"http://flink-rest:8081", "http://flink-sql-gateway:8083"},
		"values-flink-operator.yaml": {"http://cafe-coffee-rt-flink-rest:8081", "http://cafe-coffee-rt-flink-gateway:8083"},
	} {
		made := rendered(t, file, "")
		settings := the[*core.ConfigMap](t, made, "").Data
		found := [2]string{settings["COFFEE_RT_FLINK__URL"], settings["COFFEE_RT_FLINK__GATEWAY_URL"]}
		if found != wanted || settings["COFFEE_RT_V3__ENGINE"] != "flink" {
			t.Errorf("%s: nodes have %v", file, settings)
		}
	}
	// The turn can be given back only where nodes do not insist on it.
	settings := the[*core.ConfigMap](t, rendered(t, "values-flink.yaml", `flink: {engine: ""}`), "").Data
	if _, insists := settings["COFFEE_RT_V3__ENGINE"]; insists || settings["COFFEE_RT_FLINK__URL"] == "" {
		t.Errorf("nodes have %v", settings)
	}
}

func TestAJobOfTheChartIsKeptAsTheTestedOneIs(t *testing.T) {
	cluster := the[*flinkDeployment](t, rendered(t, "values-flink-operator.yaml", ""), "").Spec
	var lines strings.Builder
	for key, value := range cluster.FlinkConfiguration {
		fmt.Fprintf(&lines, "%s: %s\n", key, value)
	}
	if found, tested := keptSettings(lines.String()), localSettings(t); !maps.Equal(found, tested) {
		t.Errorf("it has %v, and what is tested has %v", found, tested)
	}
	for key, wanted := range map[string]string{
		"high-availability.type":                "kubernetes",
		"high-availability.storageDir":          "s3://coffee-rt/flink/recovery",
		"execution.checkpointing.dir":           "s3://coffee-rt/flink/checkpoints",
		"execution.checkpointing.savepoint-dir": "s3://coffee-rt/flink/savepoints",
		"taskmanager.numberOfTaskSlots":         "2",
		"slotmanager.number-of-slots.min":       "4",
		"slotmanager.number-of-slots.max":       "4",
	} {
		if found := cluster.FlinkConfiguration[key]; found != wanted {
			t.Errorf("%s is %q, not %q", key, found, wanted)
		}
	}
	if cluster.Mode != "native" || cluster.ServiceAccount != "flink" || cluster.TaskManager.Resource != (flinkResource{1, "2g"}) ||
		cluster.JobManager.Replicas != 1 || cluster.JobManager.Resource != (flinkResource{0.5, "1g"}) {
		t.Errorf("%+v", cluster)
	}
	pod := cluster.PodTemplate.Spec
	if len(pod.Containers) != 1 || pod.Containers[0].Name != "flink-main-container" || !*pod.SecurityContext.RunAsNonRoot {
		t.Errorf("pods are %+v", pod)
	}
	if plugins := pod.Containers[0].Env; len(plugins) != 1 || plugins[0].Value != "flink-s3-fs-presto-2.1.1.jar" {
		t.Errorf("pods have %v", plugins)
	}
}

func TestWhatIsSetOfFlinkWinsOverTheChart(t *testing.T) {
	more := `flink: {deployment: {configuration: {heartbeat.timeout: 20000, s3.path-style-access: true}}}`
	settings := the[*flinkDeployment](t, rendered(t, "values-flink-operator.yaml", more), "").Spec.FlinkConfiguration
	if settings["heartbeat.timeout"] != "20000" || settings["s3.path-style-access"] != "true" {
		t.Errorf("%v", settings)
	}
}

// The operator refuses longer names, and Kubernetes those of services.
func TestFlinksNamesAreNotTooLong(t *testing.T) {
	more := "fullnameOverride: " + strings.Repeat("c", 43) + "-t"
	made := rendered(t, "values-flink-operator.yaml", more)
	name := the[*flinkDeployment](t, made, "").Name
	if len(name) > 45 || !strings.HasSuffix(name, "-flink") {
		t.Errorf("it is called %s", name)
	}
	for _, service := range []string{name + "-rest", the[*core.Service](t, made, "-gateway").Name} {
		if wrong := validation.IsDNS1035Label(service); wrong != nil {
			t.Errorf("%s: %v", service, wrong)
		}
	}
}

func TestTheGatewaySubmitsToTheCluster(t *testing.T) {
	made := rendered(t, "values-flink-operator.yaml", "")
	gateway := the[*apps.Deployment](t, made, "-gateway").Spec
	container := gateway.Template.Spec.Containers[0]
	variables := map[string]string{}
	for _, variable := range container.Env {
		variables[variable.Name] = variable.Value
	}
	if !strings.Contains(variables["FLINK_PROPERTIES"], "rest.address: cafe-coffee-rt-flink-rest\n") {
		t.Errorf("it has %v", variables)
	}
	// Its script would print help and end.
	if slices.ContainsFunc(container.Args, func(arg string) bool { return strings.Contains(arg, "-h") }) {
		t.Errorf("it is called with %v", container.Args)
	}
	service := the[*core.Service](t, made, "-gateway").Spec
	if !maps.Equal(service.Selector, gateway.Selector.MatchLabels) || service.Ports[0].Port != 8083 {
		t.Errorf("%+v does not lead to %v", service, gateway.Selector)
	}
	if image := the[*flinkDeployment](t, made, "").Spec.Image; container.Image != image {
		t.Errorf("it is %s, and the cluster %s", container.Image, image)
	}
	// What selects nodes must not select this.
	nodes := the[*core.Service](t, made, "coffee-rt").Spec.Selector
	if meta.FormatLabelSelector(&meta.LabelSelector{MatchLabels: nodes}) ==
		meta.FormatLabelSelector(&meta.LabelSelector{MatchLabels: gateway.Template.Labels}) {
		t.Errorf("nodes and the gateway have the same labels, %v", nodes)
	}
}

func TestFlinkCanBeReached(t *testing.T) {
	for file, peers := range map[string]int{"values-flink.yaml": 0, "values-flink-operator.yaml": 1} {
		made := rendered(t, file, "networkPolicy: {enabled: true}")
		policy := the[*networking.NetworkPolicy](t, made, "coffee-rt").Spec
		for _, port := range []int32{8081, 8083} {
			opened := func(rule networking.NetworkPolicyEgressRule) bool { return len(rule.To) == peers && opens(rule, port) }
			if !slices.ContainsFunc(policy.Egress, opened) {
				t.Errorf("%s: %d is not open: %+v", file, port, policy.Egress)
			}
		}
	}
	made := rendered(t, "values-flink-operator.yaml", "networkPolicy: {enabled: true}")
	gateway := the[*networking.NetworkPolicy](t, made, "-gateway").Spec
	who := gateway.Ingress[0].From[0].PodSelector.MatchLabels
	if !maps.Equal(who, the[*core.Service](t, made, "coffee-rt").Spec.Selector) {
		t.Errorf("the gateway is open to %v", who)
	}
	pods := the[*apps.Deployment](t, made, "-gateway").Spec.Template.Labels
	if !maps.Equal(gateway.PodSelector.MatchLabels, pods) {
		t.Errorf("%v are guarded, and the gateway's are %v", gateway.PodSelector.MatchLabels, pods)
	}
}

func TestTheJobLogsInByItself(t *testing.T) {
	made := rendered(t, "values-flink.yaml", `
kafka: {tls: {enabled: true}, sasl: {enabled: true, existingSecret: node}}
flink: {jaasSecret: job, postgres: {url: "postgres://flink:x@db/coffee"}}
`)
	settings := the[*core.ConfigMap](t, made, "").Data
	for variable, wanted := range map[string]string{
		"COFFEE_RT_FLINK__KAFKA_PROPERTIES__SECURITY__PROTOCOL": "SASL_SSL",
		"COFFEE_RT_FLINK__KAFKA_PROPERTIES__SASL__MECHANISM":    "SCRAM-SHA-512",
	} {
		if settings[variable] != wanted {
			t.Errorf("%s is %q, not %q", variable, settings[variable], wanted)
		}
	}
	from := map[string]string{}
	for _, variable := range the[*apps.Deployment](t, made, "coffee-rt").Spec.Template.Spec.Containers[0].Env {
		from[variable.Name] = variable.ValueFrom.SecretKeyRef.Name + "/" + variable.ValueFrom.SecretKeyRef.Key
	}
	const database = "COFFEE_RT_FLINK__DATABASE_URL"
	if from["COFFEE_RT_FLINK__KAFKA_PROPERTIES__SASL__JAAS__CONFIG"] != "job/sasl.jaas.config" ||
		from[database] != "cafe-coffee-rt/"+database {
		t.Errorf("nodes have %v", from)
	}
	if string(the[*core.Secret](t, made, "coffee-rt").Data[database]) != "postgres://flink:x@db/coffee" {
		t.Error("the secret has not Flink's URL of PostgreSQL")
	}
}

// The lag of v3 is nothing that more nodes could do something about.
func TestNodesAreNotScaledByWhatFlinkHasToStore(t *testing.T) {
	const byLag = "autoscaling: {enabled: true, metric: lag}\n"
	if _, err := render(t, values(t, "values-flink.yaml", byLag)); err == nil || !strings.Contains(err.Error(), "lag") {
		t.Errorf("it is not refused by name: %v", err)
	}
	made := rendered(t, "values-flink.yaml", byLag+"versions: [v2, v3]\nredis: {existingSecret: redis}")
	var scaled []string
	for _, metric := range the[*autoscaling.HorizontalPodAutoscaler](t, made, "").Spec.Metrics {
		scaled = append(scaled, metric.External.Metric.Selector.MatchLabels["version"])
	}
	if !slices.Equal(scaled, []string{"v2"}) {
		t.Errorf("nodes are scaled by %v", scaled)
	}
}

func TestBadValuesOfFlinkAreRefusedByName(t *testing.T) {
	for more, why := range map[string]string{
		`{url: ""}`:                                     "flink.url",
		`{gatewayUrl: ""}`:                              "flink.gatewayUrl",
		`{url: "https://flink"}`:                        "url",
		`{url: "flink:8081"}`:                           "url",
		`{engine: storm}`:                               "engine",
		`{parallelism: 0}`:                              "parallelism",
		`{deployment: {enabled: true}}`:                 "choose one",
		`{enabled: false, deployment: {enabled: true}}`: "flink.enabled",
		`{postgres: {url: "mysql://a/b"}}`:              "flink.postgres.url",
		`{postgres: {url: "postgres://a/b", existingSecret: "there"}}`: "flink.postgres.existingSecret",
		`{kafkaBootstrapServers: kafka}`:                               "kafkaBootstrapServers",
		`{job: x}`:                                                     "job",
	} {
		refused(t, "values-flink.yaml", "flink: "+more, why)
	}
	for more, why := range map[string]string{
		`{storage: ""}`:                  "flink.deployment.storage",
		`{storage: /checkpoints}`:        "storage",
		`{storage: "s3://bucket/"}`:      "storage",
		`{taskManager: {replicas: 1}}`:   "flink.parallelism is 4",
		`{taskManager: {memory: 2Gi}}`:   "memory",
		`{taskManager: {slots: 0}}`:      "slots",
		`{jobManager: {replicas: 0}}`:    "replicas",
		`{jobManager: {cpu: 0}}`:         "cpu",
		`{flinkVersion: "2.1"}`:          "flinkVersion",
		`{serviceAccount: ""}`:           "serviceAccount",
		`{plugins: [s3]}`:                "plugins",
		`{configuration: {a.b: {c: d}}}`: "configuration",
		`{image: {digest: abc}}`:         "digest",
	} {
		refused(t, "values-flink-operator.yaml", "flink: {deployment: "+more+"}", why)
	}
	for more, why := range map[string]string{
		"versions: [v1]":                                       "v3 in versions",
		"postgres: {existingSecret: \"\"}":                     "flink.enabled needs PostgreSQL",
		"kafka: {bootstrapServers: \"\"}":                      "flink.enabled needs Kafka",
		"kafka: {sasl: {enabled: true, existingSecret: node}}": "flink.jaasSecret",
		"settings: {COFFEE_RT_V3__ENGINE: actors}":             "COFFEE_RT_V3__ENGINE",
		"extraEnv: [{name: COFFEE_RT_FLINK__URL, value: x}]":   "COFFEE_RT_FLINK__URL",
	} {
		refused(t, "values-flink.yaml", more, why)
	}
}

func refused(t *testing.T, file, more, why string) {
	t.Helper()
	if _, err := render(t, values(t, file, more)); err == nil {
		t.Errorf("%s is not refused", more)
	} else if !strings.Contains(err.Error(), why) {
		t.Errorf("%s: %v does not name %s", more, err, why)
	}
}
