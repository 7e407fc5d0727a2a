package main

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

// routes returns what the service answers.
func (s *service) routes() *http.ServeMux {
	mux := http.NewServeMux()
	for pattern, e := range map[string]endpoint{
		"GET /healthz": s.healthz,
		"GET /readyz":  s.readyz,

		"POST /session":        s.createSession,
		"GET /session":         withToken(s.readSession),
		"PUT /session":         withToken(s.saveSession),
		"POST /session/extend": withToken(s.extendSession),
		"DELETE /session":      withToken(s.deleteSession),

		"GET /products/{id}": s.findProduct,
		"PUT /products/{id}": s.saveProduct,

		"POST /boards/{region}/scores":          s.addScore,
		"GET /boards/{region}":                  s.topScores,
		"GET /boards/{region}/players/{player}": s.standing,
	} {
		mux.Handle(pattern, s.answer(withNames(e)))
	}
	return mux
}

// name is what may become a part of a key. A brace could move the key to another slot, and a colon make it another key.
var name = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// withNames refuses paths whose variable parts are no names.
func withNames(e endpoint) endpoint {
	return func(r *http.Request) (int, any, error) {
		for _, part := range []string{"id", "region", "player"} {
			if strings.Contains(r.Pattern, "{"+part+"}") && !name.MatchString(r.PathValue(part)) {
				return 0, nil, invalid(part + " has 1 to 64 letters, digits, dots, dashes and underscores")
			}
		}
		return e(r)
	}
}

// withToken gives an endpoint the token of the request's session. It is in a header, for URLs end up in logs.
func withToken(e func(r *http.Request, token string) (int, any, error)) endpoint {
	return func(r *http.Request) (int, any, error) {
		token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !ok || token == "" {
			return 0, nil, &problem{http.StatusUnauthorized, "send the session's token: Authorization: Bearer TOKEN"}
		}
		return e(r, token)
	}
}

func (s *service) createSession(r *http.Request) (int, any, error) {
	var login struct {
		User string `json:"user"`
	}
	if err := read(r, &login); err != nil {
		return 0, nil, err
	}
	if !name.MatchString(login.User) {
		return 0, nil, invalid("user has 1 to 64 letters, digits, dots, dashes and underscores")
	}
	token, err := s.sessions.Create(r.Context(), login.User)
	return http.StatusCreated, map[string]string{"token": token}, err
}

func (s *service) readSession(r *http.Request, token string) (int, any, error) {
	found, data, err := s.sessions.Read(r.Context(), token)
	return http.StatusOK, struct {
		session
		Data json.RawMessage `json:"data"`
	}{found, data}, err
}

func (s *service) saveSession(r *http.Request, token string) (int, any, error) {
	var data json.RawMessage
	if err := read(r, &data); err != nil {
		return 0, nil, err
	}
	return http.StatusNoContent, nil, s.sessions.Save(r.Context(), token, data)
}

func (s *service) extendSession(r *http.Request, token string) (int, any, error) {
	return http.StatusNoContent, nil, s.sessions.Extend(r.Context(), token)
}

func (s *service) deleteSession(r *http.Request, token string) (int, any, error) {
	return http.StatusNoContent, nil, s.sessions.Delete(r.Context(), token)
}

func (s *service) findProduct(r *http.Request) (int, any, error) {
	product, err := s.products.Find(r.Context(), r.PathValue("id"))
	return http.StatusOK, json.RawMessage(product), err
}

func (s *service) saveProduct(r *http.Request) (int, any, error) {
	var product struct {
		Name  string `json:"name"`
		Cents int64  `json:"cents"`
	}
	if err := read(r, &product); err != nil {
		return 0, nil, err
	}
	if product.Name == "" || product.Cents < 0 {
		return 0, nil, invalid("a product has a name, and a price in cents that is not negative")
	}
	text, err := json.Marshal(product)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusNoContent, nil, s.products.Save(r.Context(), r.PathValue("id"), string(text))
}

const (
	maxPoints = 1_000_000 // of one game; scores are float64s, which are exact up to 2^53
	maxTop    = 100
)

func (s *service) addScore(r *http.Request) (int, any, error) {
	var game struct {
		Player string `json:"player"`
		Points int64  `json:"points"`
	}
	if err := read(r, &game); err != nil {
		return 0, nil, err
	}
	if !name.MatchString(game.Player) || game.Points < 1 || game.Points > maxPoints {
		return 0, nil, invalid("a score has a player, of 1 to 64 letters, digits, dots, dashes and underscores, and 1 to 1000000 points")
	}
	// Whoever names the request may send it again, and it is counted once.
	operation := r.Header.Get("Idempotency-Key")
	if operation != "" && !name.MatchString(operation) {
		return 0, nil, invalid("an Idempotency-Key has 1 to 64 letters, digits, dots, dashes and underscores")
	}
	now, err := s.boards.Add(r.Context(), r.PathValue("region"), game.Player, game.Points, operation)
	return http.StatusOK, now, err
}

func (s *service) topScores(r *http.Request) (int, any, error) {
	n := 10
	if text := r.URL.Query().Get("top"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil || n < 1 || n > maxTop {
			return 0, nil, invalid("top is a number from 1 to 100")
		}
	}
	top, err := s.boards.Top(r.Context(), r.PathValue("region"), n)
	return http.StatusOK, top, err
}

func (s *service) standing(r *http.Request) (int, any, error) {
	now, err := s.boards.Standing(r.Context(), r.PathValue("region"), r.PathValue("player"))
	return http.StatusOK, now, err
}
