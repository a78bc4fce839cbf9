# The variable of the environment that names the tests' server as the owner of its databases; DATABASE_URL is the
# product's.
OWNER_URL = "TESTS_OWNER_URL"
# Where the data of the tests' own server is, for a standby of it; empty on another's server.
SERVER_DATA = "TESTS_SERVER_DATA"
