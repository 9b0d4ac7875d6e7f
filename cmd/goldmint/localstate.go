package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"syscall"

	"goldmint/cmd/goldmint/internal/namespace"
	"goldmint/internal/localazure"
)

// runningLocal is what a running `goldmint local` writes to a file so that commands of this user
// can reach it.
type runningLocal struct {
	PID      int               `json:"pid"`
	Settings map[string]string `json:"settings"` // of its function app, among them the addresses of all that it uses
}

// localSetting is a setting of the local Azure that runs here, if one does.
func localSetting(name string) string {
	running, _ := findLocal()
	return running.Settings[name]
}

func localStateFile() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "goldmint", "local.json"), nil
}

// announceLocal writes down how to reach the local Azure, so that commands find it by themselves.
// The function that it returns takes that back. Where nothing can be written, they need the flags.
func announceLocal(azure *localazure.Azure) (withdraw func()) {
	file, err := localStateFile()
	if err != nil {
		return func() {}
	}
	text, err := json.Marshal(runningLocal{os.Getpid(), azure.Settings()})
	if err != nil || os.MkdirAll(filepath.Dir(file), 0o700) != nil || os.WriteFile(file, text, 0o600) != nil {
		return func() {}
	}
	return func() {
		if now, ok := findLocal(); ok && now.PID == os.Getpid() { // not the file of another one that was started since
			_ = os.Remove(file)
		}
	}
}

// findLocal is the local Azure that runs, if one does.
func findLocal() (running runningLocal, ok bool) {
	file, err := localStateFile()
	if err != nil {
		return running, false
	}
	text, err := os.ReadFile(file)
	if err != nil || json.Unmarshal(text, &running) != nil || running.PID <= 0 {
		return running, false
	}
	process, err := os.FindProcess(running.PID)
	if err != nil || process.Signal(syscall.Signal(0)) != nil {
		return runningLocal{}, false
	}
	return running, true
}

// environment is what a shell or a program needs to know to use the local Azure, a variable a line.
func environmentOf(azure *localazure.Azure) string {
	text := ""
	for _, v := range [][2]string{
		{namespace.EnvConnectionString, azure.ServiceBus.ConnectionString()},
		{"ARM_ENDPOINT", azure.ARM.PlainEndpoint()},
		{"IDENTITY_ENDPOINT", azure.Identity.Endpoint()},
		{"IDENTITY_HEADER", azure.Identity.Secret()},
	} {
		text += v[0] + "=" + v[1] + "\n"
	}
	return text
}
