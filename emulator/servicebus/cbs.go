package servicebus

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"goldmint/emulator/servicebus/amqp"
)

// Token types of claims-based security.
const (
	tokenTypeSAS = "servicebus.windows.net:sastoken"
	tokenTypeJWT = "jwt"
)

// cbs is the node that takes a connection's claims.
type cbs struct{ c *conn }

func (n cbs) respond(request *amqp.Message) *amqp.Message {
	code, text := n.put(request)
	return response("status-code", code, "status-description", text, nil)
}

func (n cbs) put(request *amqp.Message) (int32, string) {
	if op := property(request, "operation"); op != "put-token" {
		return http.StatusBadRequest, fmt.Sprintf("operation %q is not supported, want put-token", op)
	}
	body, err := request.Value()
	token, ok := amqp.Text(body)
	if err != nil || !ok {
		return http.StatusBadRequest, "the body is no token"
	}
	path := entityPath(property(request, "name"))
	rights, err := n.c.srv.verify(property(request, "type"), token, path)
	if err != nil {
		return http.StatusUnauthorized, err.Error()
	}
	if base, _ := cutManagement(path); base != "" && !strings.EqualFold(base, managementNode) {
		if _, err := n.c.srv.broker.Lookup(base); err != nil {
			return http.StatusNotFound, err.Error()
		}
	}
	n.c.claims.add(path, rights)
	return http.StatusAccepted, "Accepted"
}

func property(m *amqp.Message, name string) string {
	v, _ := m.Application.Get(name)
	s, _ := amqp.Text(v)
	return s
}

func (s *Server) verify(kind, token, path string) (Rights, error) {
	switch {
	case strings.EqualFold(kind, tokenTypeSAS):
		return s.verifySAS(token, path)
	case strings.EqualFold(kind, tokenTypeJWT) && s.opts.VerifyToken != nil:
		return RightAll, s.opts.VerifyToken(token)
	}
	return 0, errors.New("a token of type " + kind + " is not accepted; sign with the shared access key")
}
