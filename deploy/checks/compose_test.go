package checks

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

// load reads the Compose file as `docker compose --profile …` does.
func load(t *testing.T, profiles ...string) *types.Project {
	t.Helper()
	options, err := cli.NewProjectOptions([]string{filepath.Join(root, "docker-compose.yaml")},
		cli.WithProfiles(profiles), cli.WithName("coffee-rt"))
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(t.Context())
	if err != nil {
		t.Fatalf("profiles %v: %v", profiles, err)
	}
	return project
}

func TestEachProfileHasWhatItsNodeNeeds(t *testing.T) {
	for profile, needed := range map[string][]string{
		"v1":         {"node-v1", "postgres"},
		"v2":         {"node-v2", "postgres", "redis"},
		"v3":         {"kafka", "node-v3", "postgres"},
		"flink":      {"flink-gateway", "flink-jobmanager", "flink-taskmanager", "kafka", "node-flink", "postgres"},
		"monitoring": {"alloy", "grafana", "loki", "prometheus"},
		"load":       {"load"},
	} {
		project := load(t, profile)
		if names := project.ServiceNames(); !slices.Equal(names, needed) {
			t.Errorf("profile %s has %v, not %v", profile, names, needed)
		}
		for name, service := range project.Services {
			for other, how := range service.DependsOn {
				if _, there := project.Services[other]; !there && how.Required {
					t.Errorf("%s needs %s, which profile %s has not", name, other, profile)
				}
				if how.Condition == types.ServiceConditionHealthy && !hasHealthCheck(project, other) {
					t.Errorf("%s waits for the health of %s, which has no check", name, other)
				}
			}
		}
	}
}

// A node's check is in its image.
func hasHealthCheck(project *types.Project, name string) bool {
	service, there := project.Services[name]
	return !there || service.HealthCheck != nil || strings.HasPrefix(name, "node-")
}

func TestWhatIsMountedIsThere(t *testing.T) {
	project := load(t, "v1", "v2", "v3", "flink", "monitoring", "load")
	for name, service := range project.Services {
		for _, volume := range service.Volumes {
			if volume.Type != types.VolumeTypeBind || volume.Source == "/var/run/docker.sock" {
				continue
			}
			if _, err := os.Stat(volume.Source); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if build := service.Build; build != nil {
			if _, err := os.Stat(filepath.Join(build.Context, build.Dockerfile)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func TestNodesAreToldOnlySettingsThatExist(t *testing.T) {
	source := read(t, "src/config.rs") + read(t, "README.md")
	project := load(t, "v1", "v2", "v3", "flink")
	simple := regexp.MustCompile(`^COFFEE_RT_([A-Z0-9]+)__([A-Z0-9_]+)$`)
	for name, service := range project.Services {
		for variable := range service.Environment {
			if parts := simple.FindStringSubmatch(variable); parts != nil {
				if field := strings.ToLower(parts[2]); !strings.Contains(source, "pub "+field+":") {
					t.Errorf("%s: %s is no setting", name, variable)
				}
			} else if strings.HasPrefix(variable, "COFFEE_RT_") && !strings.Contains(source, variable) {
				t.Errorf("%s: %s is not known", name, variable)
			}
		}
	}
}
