# The variable of the environment that names the tests' server as the owner of its databases; DATABASE_URL is the
# product's.
OWNER_URL = "TESTS_OWNER_URL"
