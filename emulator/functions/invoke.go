package functions

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"syscall"
)

// hostVersion is the production host whose behaviour this package has.
const hostVersion = "4.1045.200.25556"

var (
	// errTimedOut is a function that ran longer than functionTimeout.
	errTimedOut = errors.New("the function timed out, its process is killed")
	// errBroken is a connection that ended before the answer did.
	errBroken = errors.New("an error occurred while sending the request")
)

// invoke sends one invocation and judges the answer. It returns when the host
// would: for an answer without a body that is when the function times out or
// the process ends.
func (h *Host) invoke(life context.Context, p *process, fn function, id string, body []byte) error {
	ctx := life
	if h.app.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(life, h.app.timeout, errTimedOut)
		defer cancel()
	}
	err := h.exchange(ctx, p, fn, id, body)
	switch {
	case err != nil && errors.Is(context.Cause(ctx), errTimedOut):
		err = errors.Join(errTimedOut, p.killForTimeout())
		<-p.judged
	case errors.Is(err, syscall.ECONNREFUSED):
		p.awaitNews(noticeAfterRefusal)
	case errors.Is(err, errBroken):
		p.awaitNews(noticeAfterBreak)
	}
	return err
}

func (h *Host) exchange(ctx context.Context, p *process, fn function, id string, body []byte) error {
	answer, err := p.post(ctx, fn.function, id, body)
	if err != nil {
		return err
	}
	logs, err := judge(answer)
	for _, line := range logs {
		h.log(fn.function + ": " + line)
	}
	if !errors.Is(err, errNoAnswer) {
		return err
	}
	select {
	case <-ctx.Done():
	case <-p.exited:
		err = fmt.Errorf("%w: the process ended while the invocation hung", errBroken)
	}
	return err
}

// answer is the handler's answer.
type answer struct {
	status      int
	contentType string
	body        []byte
}

// post sends the request as the production host does, in chunks.
func (p *process) post(ctx context.Context, path, id string, body []byte) (answer, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url(path), bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	request.ContentLength = -1
	request.Header.Set("Content-Type", "application/json; charset=utf-8")
	request.Header.Set("User-Agent", "Azure-Functions-Host/"+hostVersion)
	request.Header.Set("X-Azure-Functions-HostVersion", hostVersion)
	request.Header.Set("X-Azure-Functions-InvocationId", id)
	response, err := p.client.Do(request)
	if err != nil {
		return answer{}, fmt.Errorf("%w: %w", errBroken, err)
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return answer{}, fmt.Errorf("%w: %w", errBroken, err)
	}
	return answer{response.StatusCode, response.Header.Get("Content-Type"), content}, nil
}

// errNoAnswer is an answer that the host waits on for ever.
var errNoAnswer = errors.New("the handler answered no JSON object, the invocation hangs")

// judge returns how the host treats an answer: nil is success. The order is the host's: status,
// emptiness, content type, JSON.
func judge(a answer) (logs []string, err error) {
	switch {
	case a.status < 200 || a.status > 299:
		return nil, fmt.Errorf("response status code does not indicate success: %d (%s)", a.status, http.StatusText(a.status))
	case len(a.body) == 0:
		return nil, errNoAnswer
	case !isJSON(a.contentType):
		return nil, fmt.Errorf("no media-type formatter reads an answer of the type %q, send application/json", a.contentType)
	case string(bytes.TrimSpace(a.body)) == "null":
		return nil, errNoAnswer
	}
	var result struct {
		Outputs map[string]any
		Logs    []string
	}
	if err := json.Unmarshal(a.body, &result); err != nil {
		return nil, fmt.Errorf("the handler's answer is no invocation result: %w", err)
	}
	return result.Logs, nil
}

func isJSON(contentType string) bool {
	kind, _, err := mime.ParseMediaType(contentType)
	return err == nil && (strings.EqualFold(kind, "application/json") || strings.EqualFold(kind, "text/json"))
}
