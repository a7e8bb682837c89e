package api

import (
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/swaggest/swgui/v5emb"
)

// docs shows the OpenAPI document with Swagger UI, all of which is in the
// program: the page works without the network.
func (s *Server) docs() {
	const base = "/api/docs"
	page := v5emb.New("Fanfare API", "/api/openapi.json", base+"/")
	serve := func(c *gin.Context) { page.ServeHTTP(c.Writer, c.Request) }
	s.engine.GET(base, serve)
	s.engine.GET(base+"/*file", serve)
	s.engine.GET("/", func(c *gin.Context) { c.Redirect(http.StatusFound, base) })
}
