package api

import (
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/swaggest/swgui/v5emb"
)

const (
	docsPath = "/api/docs"
	// docsPolicy lets the page use what is in the program and nothing else. Its
	// own script and styles stand in it.
	docsPolicy = "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; " +
		"img-src 'self' data:; frame-ancestors 'none'"
)

// docs shows the OpenAPI document with Swagger UI, all of which is in the
// program: the page works without the network.
func (s *Server) docs() {
	page := v5emb.New("Fanfare API", "/api/openapi.json", docsPath+"/")
	serve := func(c *gin.Context) {
		c.Header("Content-Security-Policy", docsPolicy)
		page.ServeHTTP(c.Writer, c.Request)
	}
	s.engine.GET(docsPath, serve)
	for _, asset := range []string{
		"swagger-ui.css", "swagger-ui-bundle.js", "swagger-ui-standalone-preset.js",
		"favicon-16x16.png", "favicon-32x32.png", "oauth2-redirect.html",
	} {
		s.engine.GET(docsPath+"/"+asset, serve)
	}
	s.engine.GET("/", func(c *gin.Context) { c.Redirect(http.StatusFound, docsPath) })
}
