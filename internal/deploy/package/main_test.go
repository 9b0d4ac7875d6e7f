package main

import (
	"archive/zip"
	"crypto/sha256"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

// TestPackage builds the package twice: the bytes are the same, and the zip keeps the handler's run
// bit.
func TestPackage(t *testing.T) {
	t.Chdir("../../..")
	dir := t.TempDir()
	var sums [2][32]byte
	for i := range sums {
		out := filepath.Join(dir, "dist")
		if err := run(out); err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(out + ".zip")
		if err != nil {
			t.Fatal(err)
		}
		sums[i] = sha256.Sum256(content)
	}
	if sums[0] != sums[1] {
		t.Error("two packages of one commit differ")
	}
	z, err := zip.OpenReader(filepath.Join(dir, "dist.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = z.Close() }()
	got := map[string]string{}
	for _, f := range z.File {
		got[f.Name] = f.Mode().String()
	}
	want := map[string]string{"handler": "-rwxr-xr-x", "host.json": "-rw-r--r--", "build-image/function.json": "-rw-r--r--", "take-request/function.json": "-rw-r--r--"}
	for name, mode := range want {
		if got[name] != mode {
			t.Errorf("%s: mode %q, want %q", name, got[name], mode)
		}
	}
	if len(got) != len(want) {
		t.Errorf("the zip holds %v", got)
	}
}

// TestCheckFinds: each known problem of a package is reported.
func TestCheckFinds(t *testing.T) {
	script := &fstest.MapFile{Data: []byte("#!/bin/sh\n"), Mode: 0o755}
	for name, c := range map[string]struct {
		app  fstest.MapFS
		want string
	}{
		"no handler":              {fstest.MapFS{}, "handler"},
		"lost run bit":            {fstest.MapFS{"handler": {Data: script.Data, Mode: 0o644}}, "0755"},
		"not a binary":            {fstest.MapFS{"handler": script}, "not a Linux binary"},
		"no function":             {fstest.MapFS{"handler": script}, "build-image/function.json"},
		"broken host.json":        {fstest.MapFS{"host.json": {Data: []byte("{")}}, "host.json: not valid JSON"},
		"secrets":                 {fstest.MapFS{"local.settings.json": script}, "local.settings.json: does not belong"},
		"function.json misplaced": {fstest.MapFS{"function.json": script}, "function.json: does not belong"},
	} {
		if err := check(c.app); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
