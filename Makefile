.PHONY: help build test check gen fmt bench ci
help: ## list the verbs
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'
build: ## bin/hookd
	CGO_ENABLED=0 go build -trimpath -o bin/hookd ./cmd/hookd
test: ## tests that need no root and no other program
	go test ./...
gen: ## write everything that spec/events declares
	go generate ./...
fmt: ## format as CI wants it
	go tool -modfile=tools.mod gofumpt -w $$(git ls-files '*.go')
check: ## vet, lint, generated files
	go run ./spec/gen -check
	go vet ./...
	go tool -modfile=tools.mod staticcheck ./...
bench: ## benchmarks with allocations
	go test -run '^$$' -bench . -benchmem ./...
ci: ## all that must hold before a change lands
	.ci/run
