"""Language models behind the chat protocol that hosted models, vLLM, Ollama and llama.cpp share."""
