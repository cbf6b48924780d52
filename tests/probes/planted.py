"""Makes keys that look real, from a fixed seed, so that none has to stand in this repository."""

import base64
import json
import random
import string

DIGITS = string.digits
HEX = "0123456789abcdef"
UPPER = string.ascii_uppercase + "234567"
ALNUM = string.ascii_letters + string.digits
URL_SAFE = ALNUM + "-_"


KINDS = (
    *("github", "gitlab", "slack", "stripe", "google", "sendgrid", "npm", "digitalocean", "shopify"),
    *("pypi", "vault", "jwt", "private_key", "anthropic", "openai", "huggingface", "dockerhub", "grafana"),
    *("twilio", "azure_storage"),
)


class Planter:
    """One stream of random keys; the same seed gives the same keys."""

    def __init__(self, seed: int = 20250625) -> None:
        self._random = random.Random(seed)  # noqa: S311  # test data that must repeat

    def text(self, length: int, alphabet: str = ALNUM) -> str:
        return "".join(self._random.choices(alphabet, k=length))

    def github(self) -> str:
        return "ghp" + "_" + self.text(36)

    def gitlab(self) -> str:
        return "glpat" + "-" + self.text(20)

    def slack(self) -> str:
        return "-".join(["xoxb", self.text(12, DIGITS), self.text(13, DIGITS), self.text(24)])

    def stripe(self) -> str:
        return "_".join(["sk", "live", self.text(24)])

    def google(self) -> str:
        return "AIza" + "Sy" + self.text(33, URL_SAFE)

    def sendgrid(self) -> str:
        return ".".join(["SG", self.text(22), self.text(43)])

    def npm(self) -> str:
        return "npm" + "_" + self.text(36)

    def digitalocean(self) -> str:
        return "dop" + "_v1_" + self.text(64, HEX)

    def shopify(self) -> str:
        return "shpat" + "_" + self.text(32, HEX)

    def pypi(self) -> str:
        return "pypi-" + "AgEIcHlwaS5vcmc" + self.text(70, URL_SAFE)

    def vault(self) -> str:
        return "hvs" + "." + self.text(95, URL_SAFE)

    def jwt(self) -> str:
        parts = [{"alg": "HS256", "typ": "JWT"}, {"sub": self.text(10, DIGITS), "iat": 1750000000}]
        signed = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
        return ".".join([*signed, self.text(43, URL_SAFE)])

    def private_key(self) -> str:
        frame = "-----{} RSA PRIVATE KEY-----".format
        lines = [self.text(64, ALNUM + "+/") for _ in range(24)]
        return "\n".join([frame("BEGIN"), *lines, frame("END")])

    def anthropic(self) -> str:
        return "sk-ant" + "-api03-" + self.text(93, URL_SAFE) + "AA"

    def openai(self) -> str:
        return "sk" + "-proj-" + self.text(74, URL_SAFE) + "T3Blbk" + "FJ" + self.text(74, URL_SAFE)

    def huggingface(self) -> str:
        return "hf" + "_" + self.text(34, string.ascii_letters)

    def dockerhub(self) -> str:
        return "dckr" + "_pat_" + self.text(27, URL_SAFE)

    def grafana(self) -> str:
        return "glsa" + "_" + self.text(32) + "_" + self.text(8, HEX)

    def twilio(self) -> str:
        return "S" + "K" + self.text(32, HEX)

    def azure_storage(self) -> str:
        key = base64.b64encode(self._random.randbytes(64)).decode()
        return f"DefaultEndpointsProtocol=https;AccountName=goods1;Account{'Key'}={key}"

    def aws_pair(self) -> tuple[str, str]:
        """An access key id and its secret; the id alone gives nothing away."""
        return "AKIA" + self.text(16, UPPER), self.text(40, ALNUM + "+/")

    def postgres_url(self) -> str:
        return f"postgres://app:{self.text(16)}@db.internal.corp.net:5432/app"

    def one_of_each(self) -> dict[str, str]:
        """One key in the format of each provider, by its kind."""
        return {kind: getattr(self, kind)() for kind in KINDS}
