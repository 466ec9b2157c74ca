# Every target is one line here; what it does is in deploy/local/ and .ci/.
.DEFAULT_GOAL := help
.PHONY: help test lint deployment image page soak bench scale coverage secrets deny clean-local

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1|/' | column -t -s '|'

test: ## everything: formatting, lints, shell checks, all tests against a private PostgreSQL, Redis and Kafka
	@deploy/local/test.sh

lint: ## formatting, clippy, shell checks
	@deploy/local/lint.sh

deployment: ## chart, Compose file and workflows, as Helm, Kubernetes, Compose and GitHub read them
	@deploy/local/deployment.sh

image: ## the program of the container's image, as its Dockerfile builds it, but natively
	@deploy/local/image.sh

page: ## only the web page: its types, tests, and stories in a Chromium against real nodes
	@deploy/local/with-services.sh postgres redis kafka -- deploy/local/page.sh

soak: ## an hour of the page's frames, while its heap is watched
	@COFFEE_RT_WATCHED_FRAMES=45000 deploy/local/with-services.sh postgres redis kafka -- \
		deploy/local/page.sh endurance -t 'memory does not grow' --testTimeout=5400000

bench: ## figures against goals, release build; BENCH="acks --engine sqlite" for a part
	@deploy/local/bench.sh $(BENCH)

scale: ## every experiment on each version, release build, an hour or so; writes SCALE.md
	@deploy/local/scale.sh

coverage: ## line coverage of all tests, child processes included; fails below 85 %
	@deploy/local/coverage.sh

secrets: ## scan every commit for credentials
	@deploy/local/secrets.sh

deny: ## check licences, advisories and sources of the dependencies
	@deploy/local/deny.sh

clean-local: ## stop the local services, delete their data and the downloaded tools
	@deploy/local/clean.sh
