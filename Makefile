# The front door. Each of these works alone on a fresh Debian 12 or 13, as root or with sudo.
#
#   make setup      everything the project needs: Debian packages, the runtime, Python environments
#   make demo       two real models trained, served and compared; ONCE=1 stops the server at the end
#   make test       the whole suite, as CI runs it
#   make lint       the gates alone
#   make bench      the figures of bench/RESULTS.md
#   make fuzz       a minute of fuzzing for each parser; SECONDS_EACH=600 for more
#   make campaign-t09   the lane under TSan, 10^8 exchanges; adds a row to tests/ledger.csv
#   make campaign-t01   ten minutes of fuzzing for each parser; a row of the same ledger for each
#   make build      the two executables, in build/release
#   make install    them and the runtime under PREFIX
PREFIX ?= /usr/local

setup:
	@scripts/setup.sh

build:
	@scripts/setup.sh build runtime
	@scripts/build.sh release garrison garrison-worker

demo:
	@scripts/setup.sh build runtime demo
	@scripts/build.sh release garrison garrison-worker
	@ONCE=$(ONCE) scripts/demo.sh

test:
	@scripts/test.sh

lint:
	@scripts/setup.sh build runtime test lint
	@scripts/lint.sh

bench:
	@scripts/setup.sh build runtime demo test bench
	@scripts/build.sh release
	@bench/run.sh

fuzz:
	@scripts/setup.sh build runtime test
	@scripts/fuzz.sh

campaign-t09:
	@scripts/setup.sh build test
	@scripts/campaign.sh t09

campaign-t01:
	@scripts/setup.sh build runtime test
	@scripts/campaign.sh t01

install: build
	@cmake --install build/release --prefix $(PREFIX)

clean:
	rm -rf build

.PHONY: setup build demo test lint bench fuzz campaign-t01 campaign-t09 install clean
.NOTPARALLEL:
