package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/spf13/pflag"

	"goldmint/cmd/goldmint/internal/catalog"
	"goldmint/cmd/goldmint/internal/prune"
	"goldmint/internal/armid"
)

// manager is the flags that say which Resource Manager, and what in it.
type manager struct {
	endpoint, audience  string
	subscription, group string
	gallery, image      string
}

// publicARM is Azure's own.
const publicARM = "https://management.azure.com"

func (m *manager) addFlags(f *pflag.FlagSet) {
	f.StringVar(&m.endpoint, "arm-endpoint", environment("ARM_ENDPOINT", publicARM), "Resource Manager")
	f.StringVar(&m.audience, "arm-audience", environment("ARM_AUDIENCE", publicARM), "audience of its tokens")
}

func (m *manager) addGroupFlags(f *pflag.FlagSet) {
	m.addFlags(f)
	f.StringVar(&m.subscription, "subscription", environment("AZURE_SUBSCRIPTION_ID", ""), "`GUID` of the subscription (setting AZURE_SUBSCRIPTION_ID)")
	f.StringVarP(&m.group, "resource-group", "g", "", "resource group of the gallery, or of the images")
}

func (m *manager) addGalleryFlags(f *pflag.FlagSet) {
	f.StringVar(&m.gallery, "gallery", "", "`name` of the gallery")
	f.StringVar(&m.image, "image", "", "`name` of the image definition in it")
}

var (
	galleryName    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.]{0,79}$`)
	definitionName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,79}$`)
)

// check refuses names that would make another path of the request.
func (m *manager) check() error {
	switch {
	case !armid.IsGUID(m.subscription):
		return fmt.Errorf("--subscription is %q: give the subscription's GUID, or set AZURE_SUBSCRIPTION_ID", m.subscription)
	case !armid.ValidGroup(m.group):
		return fmt.Errorf("--resource-group is %q: give the name of the resource group", m.group)
	case m.gallery != "" && !galleryName.MatchString(m.gallery):
		return fmt.Errorf("--gallery is %q: give the gallery's name", m.gallery)
	case m.image != "" && !definitionName.MatchString(m.image):
		return fmt.Errorf("--image is %q: give the image definition's name", m.image)
	case (m.gallery == "") != (m.image == ""):
		return errors.New("--gallery and --image go together: they name an image definition")
	}
	return nil
}

func (m *manager) dial() (*catalog.Azure, error) {
	credential, err := azidentity.NewDefaultAzureCredential(nil)
	if err != nil {
		return nil, &exitError{error: err, status: exitUnreachable, hint: "sign in with `az login`"}
	}
	return catalog.New(m.subscription, m.endpoint, m.audience, credential)
}

// explain is an error of Resource Manager's with its exit status and hint.
func (m *manager) explain(err error) error {
	var r *azcore.ResponseError
	var unreachable *net.OpError
	switch {
	case errors.Is(err, context.Canceled):
		return errInterrupted
	case errors.As(err, &r) && r.StatusCode == http.StatusNotFound:
		return &exitError{
			error: fmt.Errorf("%s: %s", place(err), prune.Brief(err)), status: exitUsage,
			hint: "check --subscription, --resource-group, --gallery and --image; one without any rights there gets the same answer",
		}
	case errors.As(err, &r) && (r.StatusCode == http.StatusForbidden || r.StatusCode == http.StatusUnauthorized):
		return &exitError{
			error: fmt.Errorf("%s: %s", place(err), prune.Brief(err)), status: exitUnreachable,
			hint: "docs/retention.md lists the rights of each command; role assignments take some minutes",
		}
	case errors.As(err, &r):
		return &exitError{error: fmt.Errorf("%s: %s", place(err), prune.Brief(err)), status: exitUnreachable}
	case errors.As(err, &unreachable):
		return &exitError{error: fmt.Errorf("cannot reach %s", m.endpoint), status: exitUnreachable, hint: "check --arm-endpoint and the network"}
	}
	return &exitError{error: err, status: exitUnreachable}
}

// place is what was tried, without Azure's long answer.
func place(err error) string {
	what, _, _ := strings.Cut(err.Error(), ": ")
	return what
}

// span is a flag's duration that may have days.
type span time.Duration

func (s *span) String() string { return age(time.Duration(*s)) }

// Type names the value in the help.
func (s *span) Type() string { return "duration" }

// Set takes 36h, 30d and the like.
func (s *span) Set(text string) error {
	if number, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.ParseUint(number, 10, 16)
		if err != nil {
			return errors.New("use a duration such as 30d or 12h")
		}
		*s = span(time.Duration(n) * 24 * time.Hour)
		return nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return errors.New("use a duration such as 30d or 12h")
	}
	*s = span(d)
	return nil
}
