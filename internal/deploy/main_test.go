package deploy_test

import (
	"fmt"
	"os"
	"testing"
)

// The tests read the Terraform, which is all that infra holds, and what lies beside it.
func TestMain(m *testing.M) {
	infra := "../../infra"
	if mutated := os.Getenv(mutatedVariable); mutated != "" {
		infra = mutated
	}
	if err := os.Chdir(infra); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}
