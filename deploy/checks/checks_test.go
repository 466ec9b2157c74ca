// Package checks holds the deployment's files to what Helm, Kubernetes and Compose make of them. It is tests only.
package checks

import (
	"os"
	"path/filepath"
	"testing"
)

// Where the repository is, seen from here.
const root = "../.."

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestTheChartHasTheAlertsThatAreTested(t *testing.T) {
	if read(t, "deploy/helm/coffee-rt/files/coffee-rt-rules.yml") != read(t, "deploy/prometheus/rules/coffee-rt.yml") {
		t.Error("write it anew: cp deploy/prometheus/rules/coffee-rt.yml deploy/helm/coffee-rt/files/coffee-rt-rules.yml")
	}
}
