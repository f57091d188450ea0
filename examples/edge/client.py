# python client.py [URL]: arrays as safetensors, their loss and gradients back. pip install requests safetensors numpy
import sys

import numpy, requests
from safetensors.numpy import load, save

url = sys.argv[1] if len(sys.argv) > 1 else "http://localhost:8000"
names = ["policyChosen", "policyRejected", "referenceChosen", "referenceRejected"]
values = [[-12.1, -30.5], [-14.8, -28.9], [-12.9, -30.1], [-14.2, -29.6]]
body = save({n: numpy.float32(v) for n, v in zip(names, values)}, metadata={"lossType": "sigmoid", "beta": "0.1"})
response = requests.post(f"{url}/v1/pair-loss", body, headers={"Content-Type": "application/octet-stream"})
if not response.ok:
    sys.exit(response.text)
result = load(response.content)
print(float(result["loss"]), result["gradChosen"])
