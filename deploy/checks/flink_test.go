package checks

import (
	"encoding/xml"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/docker/go-units"
)

// How a job is kept and restarted, and how soon it is noticed that a part of Flink is gone. Where checkpoints are differs.
var kept = regexp.MustCompile(`^(state\.|execution\.|restart-strategy\.|heartbeat\.)`)

// keptSettings are those of some lines that say so, without what is only told of places.
func keptSettings(lines string) map[string]string {
	settings := map[string]string{}
	for line := range strings.Lines(lines) {
		key, value, is := strings.Cut(strings.TrimSpace(line), ": ")
		if is && kept.MatchString(key) && !strings.HasSuffix(key, "dir") {
			settings[key] = strings.ReplaceAll(value, " ", "")
		}
	}
	return settings
}

// localSettings are those that the stories of the tests run with.
func localSettings(t *testing.T) map[string]string {
	t.Helper()
	settings := keptSettings(read(t, "deploy/local/services.d/flink.sh"))
	if len(settings) < 10 {
		t.Fatalf("deploy/local/services.d/flink.sh has only %v", settings)
	}
	return settings
}

// flinks are the services of Flink.
func flinks(t *testing.T) types.Services {
	t.Helper()
	services := load(t, "flink").Services
	maps.DeleteFunc(services, func(name string, _ types.ServiceConfig) bool { return !strings.HasPrefix(name, "flink-") })
	return services
}

func TestAJobOfComposeIsKeptAsTheTestedOneIs(t *testing.T) {
	for name, service := range flinks(t) {
		properties := *service.Environment["FLINK_PROPERTIES"]
		if found, tested := keptSettings(properties), localSettings(t); !maps.Equal(found, tested) {
			t.Errorf("%s has %v, and what is tested has %v", name, found, tested)
		}
		// The image would take it for a setting.
		if strings.Contains(properties, "#") {
			t.Errorf("%s has a comment among its settings:\n%s", name, properties)
		}
	}
}

func TestFlinksMemoryFitsItsLimit(t *testing.T) {
	services := flinks(t)
	sum := func(text string, size *regexp.Regexp) int64 {
		var sum int64
		for _, found := range size.FindAllStringSubmatch(text, -1) {
			bytes, err := units.RAMInBytes(found[1])
			if err != nil {
				t.Fatal(err)
			}
			sum += bytes
		}
		return sum
	}
	for name, size := range map[string]*regexp.Regexp{
		"flink-jobmanager":  regexp.MustCompile(`(?m)^jobmanager\.memory\..*(?:size|max): (.*)$`),
		"flink-taskmanager": regexp.MustCompile(`(?m)^taskmanager\.memory\..*(?:size|max): (.*)$`),
		"flink-gateway":     regexp.MustCompile(`-X[^ ]*?([0-9]+m)`),
	} {
		service := services[name]
		text := *service.Environment["FLINK_PROPERTIES"]
		if options := service.Environment["JVM_ARGS"]; options != nil {
			text = *options
		}
		// What the JVM takes beside.
		const beside = 128 << 20
		if needed := sum(text, size); needed == 0 || int64(service.MemLimit) < needed+beside {
			t.Errorf("%s may have %d MiB and takes %d", name, service.MemLimit>>20, needed>>20)
		}
	}
}

func TestWhoeverTakesAJobUpAgainReadsItsCheckpoints(t *testing.T) {
	services := flinks(t)
	for _, name := range []string{"flink-jobmanager", "flink-taskmanager"} {
		volumes, properties := services[name].Volumes, *services[name].Environment["FLINK_PROPERTIES"]
		if len(volumes) != 1 || volumes[0].Type != types.VolumeTypeVolume || volumes[0].Source != "flink" {
			t.Errorf("%s has %v", name, volumes)
		} else if !strings.Contains(properties, "execution.checkpointing.dir: file://"+volumes[0].Target+"/") {
			t.Errorf("%s does not write checkpoints to %s", name, volumes[0].Target)
		}
	}
}

func TestTheNodeFindsFlink(t *testing.T) {
	project := load(t, "flink")
	node := project.Services["node-flink"]
	for variable, wanted := range map[string]string{
		"COFFEE_RT_V3__ENGINE":         "flink",
		"COFFEE_RT_FLINK__URL":         "http://flink-jobmanager:8081",
		"COFFEE_RT_FLINK__GATEWAY_URL": "http://flink-gateway:8083",
	} {
		if value := node.Environment[variable]; value == nil || *value != wanted {
			t.Errorf("%s is not %s", variable, wanted)
		}
	}
	if needed := slices.Sorted(maps.Keys(node.DependsOn)); !slices.Equal(needed,
		[]string{"flink-gateway", "flink-taskmanager", "kafka", "postgres"}) {
		t.Errorf("the node waits for %v", needed)
	}
}

// Connectors fit one version of Flink. The pom.xml has it for both; what cannot read it must say the same.
func TestFlinkHasOneVersion(t *testing.T) {
	var pom struct {
		Version string `xml:"properties>flink.version"`
	}
	if err := xml.Unmarshal([]byte(read(t, "deploy/local/flink/pom.xml")), &pom); err != nil {
		t.Fatal(err)
	}
	major := "v" + strings.ReplaceAll(pom.Version[:strings.LastIndex(pom.Version, ".")], ".", "_")
	for path, wanted := range map[string]string{
		"deploy/docker/flink.Dockerfile":    "FROM flink:" + pom.Version + "-java17",
		"deploy/local/services.d/flink.sh":  "FLINK_VERSION=" + pom.Version,
		"deploy/helm/coffee-rt/values.yaml": "flinkVersion: " + major,
	} {
		if !strings.Contains(read(t, path), wanted+"\n") {
			t.Errorf("%s does not say %s", path, wanted)
		}
	}
}
