// Command package writes the Functions app in the layout that the host needs, as a folder and as a
// zip file, and checks the layout. The same commit produces the same bytes.
package main

import (
	"archive/zip"
	"context"
	"debug/elf"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"goldmint"
)

func main() {
	out := flag.String("out", "dist", "folder to write; the zip file is written beside it")
	flag.Parse()
	if err := run(*out); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(out string) error {
	if err := layOut(out); err != nil {
		return err
	}
	if err := check(os.DirFS(out)); err != nil {
		return err
	}
	if err := pack(out, out+".zip"); err != nil {
		return err
	}
	info, err := os.Stat(out + ".zip")
	if err != nil {
		return err
	}
	fmt.Printf("%s.zip: %.1f MB, checked: host.json, handler (static linux/amd64, 0755), take-request and build-image\n", out, float64(info.Size())/1e6)
	return nil
}

// layOut writes the folder anew.
func layOut(out string) error {
	if err := os.RemoveAll(out); err != nil {
		return err
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	build := exec.CommandContext(context.Background(), "go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid=", "-o", filepath.Join(out, "handler"), "./handler")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
	if text, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build the handler: %w\n%s", err, text)
	}
	errs := []error{
		os.Chmod(filepath.Join(out, "handler"), 0o755),
		os.WriteFile(filepath.Join(out, "host.json"), goldmint.HostJSON, 0o644),
	}
	for name, function := range goldmint.Functions(goldmint.FunctionJSON) {
		errs = append(errs, os.Mkdir(filepath.Join(out, name), 0o755),
			os.WriteFile(filepath.Join(out, name, "function.json"), function, 0o644))
	}
	return errors.Join(errs...)
}

// check returns what the host would not accept in a package. Each of these problems has caused a
// failed deployment somewhere.
func check(app fs.FS) error {
	return errors.Join(checkHandler(app), checkJSON(app, "host.json"), checkJSON(app, "take-request/function.json"), checkJSON(app, "build-image/function.json"), checkStrangers(app))
}

func checkHandler(app fs.FS) error {
	info, err := fs.Stat(app, "handler")
	if err != nil {
		return err
	}
	if info.Mode().Perm() != 0o755 {
		return fmt.Errorf("handler: mode is %04o, the host needs 0755", info.Mode().Perm())
	}
	file, err := app.Open("handler")
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	reader, ok := file.(io.ReaderAt)
	if !ok {
		return errors.New("handler: cannot be read at random")
	}
	binary, err := elf.NewFile(reader)
	if err != nil {
		return fmt.Errorf("handler: not a Linux binary: %w", err)
	}
	if binary.Machine != elf.EM_X86_64 {
		return fmt.Errorf("handler: built for %s, the host runs amd64", binary.Machine)
	}
	if binary.Section(".interp") != nil {
		return errors.New("handler: linked dynamically, the host's image may lack the libraries: build with CGO_ENABLED=0")
	}
	return nil
}

func checkJSON(app fs.FS, name string) error {
	text, err := fs.ReadFile(app, name)
	if err != nil {
		return err
	}
	if !json.Valid(text) {
		return fmt.Errorf("%s: not valid JSON", name)
	}
	return nil
}

// checkStrangers refuses files that do not belong in a package: a function.json in the app's root
// is ignored by the host, and local.settings.json holds secrets.
func checkStrangers(app fs.FS) error {
	known := map[string]bool{"handler": true, "host.json": true, "take-request/function.json": true, "build-image/function.json": true}
	return fs.WalkDir(app, ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && !known[path] {
			return fmt.Errorf("%s: does not belong into the package", path)
		}
		return err
	})
}

// pack writes the folder as a zip file whose bytes depend on its content only.
func pack(folder, file string) (err error) {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	z := zip.NewWriter(f)
	for _, name := range []string{"build-image/function.json", "handler", "host.json", "take-request/function.json"} {
		if err := add(z, folder, name); err != nil {
			return err
		}
	}
	return z.Close()
}

func add(z *zip.Writer, folder, name string) error {
	path := filepath.Join(folder, filepath.FromSlash(name))
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	header := &zip.FileHeader{Name: name, Method: zip.Deflate, Modified: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)}
	header.SetMode(info.Mode().Perm())
	w, err := z.CreateHeader(header)
	if err != nil {
		return err
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	_, err = w.Write(content)
	return err
}
