package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"goldmint/cmd/goldmint/internal/requestfile"
	"goldmint/internal/localazure"
	"goldmint/internal/request"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
)

// submission is one request to send, valid or not: the handler reports what is wrong with it.
type submission struct {
	id        string
	messageID string
	body      []byte          // nil: another program submits it
	request   request.Request // zero when the body is no valid request
}

// readSubmissions reads files and folders. A request without an id gets the name of its file.
func readSubmissions(paths []string) ([]*submission, error) {
	files, _, err := requestFiles(paths)
	if err != nil {
		return nil, err
	}
	var all []*submission
	seen := map[string]string{}
	for _, f := range files {
		s, err := readSubmission(f)
		if err != nil {
			return nil, err
		}
		if other := seen[s.id]; other != "" {
			return nil, fmt.Errorf("%s and %s have the same id %q: give one of them another", other, f, s.id)
		}
		seen[s.id] = f
		all = append(all, s)
	}
	return all, nil
}

func readSubmission(file string) (*submission, error) {
	body, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	name := strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
	r, err := requestfile.Read(file, body, nil)
	if err != nil {
		messageID := request.Identity("", name, 0)
		id := request.Identity(request.IDOf(body), messageID, 0)
		return &submission{id: id, messageID: messageID, body: body}, nil //nolint:nilerr // sent as it is: what is wrong with it is the handler's to say
	}
	r = r.WithIdentity(name, 0)
	if body, err = json.Marshal(r); err != nil {
		return nil, err
	}
	return &submission{id: r.ID, messageID: r.ID + "/" + r.Digest(), body: body, request: r}, nil
}

// sendAll sends the submissions to the queue of the local Azure.
func sendAll(ctx context.Context, client *azservicebus.Client, submissions []*submission) error {
	sender, err := client.NewSender(localazure.Requests, nil)
	if err != nil {
		return err
	}
	for _, s := range submissions {
		if s.body == nil {
			continue
		}
		contentType := "application/json"
		if err := sender.SendMessage(ctx, &azservicebus.Message{
			Body: s.body, MessageID: &s.messageID, ContentType: &contentType, CorrelationID: &s.id,
		}, nil); err != nil {
			return fmt.Errorf("submit %s: %w", s.id, err)
		}
	}
	return sender.Close(ctx)
}
